//! Numbers of bytes as people read them.

const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// “512 B”, “1.2 MB”: decimal units, one digit after the point below ten.
#[must_use]
pub fn size(bytes: u64) -> String {
    let bytes_wide = u128::from(bytes);
    let mut divisor: u128 = 1;
    let mut unit = 0;
    // Half a unit of the last digit shown rounds up, also into the next unit.
    while (bytes_wide * 2 + divisor) / (divisor * 2) >= 1_000 && unit + 1 < UNITS.len() {
        divisor *= 1_000;
        unit += 1;
    }
    let name = UNITS[unit];
    let tenths = (bytes_wide * 20 + divisor) / (divisor * 2);
    match (unit, tenths) {
        (0, _) => format!("{bytes} {name}"),
        (_, small) if small < 100 && small % 10 != 0 => format!("{}.{} {name}", small / 10, small % 10),
        (_, _) => format!("{} {name}", (bytes_wide * 2 + divisor) / (divisor * 2)),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_short_and_round_to_the_nearest() {
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_234, "1.2 kB"),
            (12_345, "12 kB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (1_048_576, "1 MB"),
            (5_368_709_120, "5.4 GB"),
            (u64::MAX, "18447 PB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }
}
