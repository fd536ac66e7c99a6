//! The layout of stacked bar charts, in whole units of the drawing.

/// What is to be drawn: one value a series and column, in the smallest unit of one currency.
#[derive(Debug, Clone, Default)]
pub struct ChartData {
    /// The columns' labels, from left to right.
    pub columns: Vec<String>,
    /// The series, from bottom to top; those after the fifth are drawn as one, “Other”.
    pub series: Vec<ChartSeries>,
    /// What stands before an amount, such as “€ ”.
    pub prefix: String,
    /// How many decimals the smallest unit has: 2 for cents.
    pub decimals: u32,
}

/// One series with a value for each column.
#[derive(Debug, Clone, Default)]
pub struct ChartSeries {
    /// Its name.
    pub label: String,
    /// Its values; missing ones are zero, negative ones (corrections) are not drawn.
    pub values: Vec<i64>,
}

/// A chart ready to be drawn by the macro `chart` of `parts.html`.
#[derive(Debug, Clone, Default)]
pub struct Chart {
    /// Width of the drawing.
    pub width: i64,
    /// Height of the drawing.
    pub height: i64,
    /// Left end of the axis.
    pub left: i64,
    /// Right end of the axis.
    pub right: i64,
    /// Where zero is.
    pub base: i64,
    /// The grid lines.
    pub grid: Vec<GridLine>,
    /// The segments of the bars.
    pub bars: Vec<Segment>,
    /// The columns' labels and totals.
    pub labels: Vec<ColumnLabel>,
    /// The legend.
    pub series: Vec<LegendEntry>,
}

/// A grid line.
#[derive(Debug, Clone)]
pub struct GridLine {
    /// Where it is.
    pub y: i64,
    /// What it stands for.
    pub label: String,
}

/// A segment of a bar.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Colour class, 1 to 6.
    pub series: usize,
    /// Left edge.
    pub x: i64,
    /// Upper edge.
    pub y: i64,
    /// Width.
    pub width: i64,
    /// Height.
    pub height: i64,
    /// What it says when pointed at.
    pub tip: String,
}

/// A column's label and total.
#[derive(Debug, Clone)]
pub struct ColumnLabel {
    /// The middle of the column.
    pub x: i64,
    /// The label; empty where there are too many to write each.
    pub text: String,
    /// The total; empty where there is no room.
    pub total: String,
    /// Where the total stands.
    pub total_y: i64,
}

/// An entry of the legend.
#[derive(Debug, Clone)]
pub struct LegendEntry {
    /// Colour class, 1 to 6.
    pub series: usize,
    /// The series' name.
    pub label: String,
}

const WIDTH: i64 = 1080;
const HEIGHT: i64 = 300;
const LEFT: i64 = 64;
const RIGHT: i64 = 1068;
const TOP: i64 = 30;
const BASE: i64 = 264;
const COLOURS: usize = 6;
/// With more columns than this, totals would touch each other.
const MOST_TOTALS: usize = 16;
/// With more columns than this, not each can have its label.
const MOST_LABELS: usize = 16;

impl Chart {
    /// Lays the data out. Without any positive value the chart is empty (`series` is empty) and nothing is drawn.
    #[must_use]
    pub fn stacked(data: &ChartData) -> Self {
        let series = fold_rest(data);
        let totals: Vec<i64> =
            (0..data.columns.len()).map(|column| series.iter().map(|one| positive(one, column)).fold(0, i64::saturating_add)).collect();
        let highest = totals.iter().copied().max().unwrap_or(0);
        if highest == 0 {
            return Self::default();
        }
        let (step, top) = scale(highest);
        let height_of = |value: i64| widened(value, BASE - TOP, top);
        let grid = (0..)
            .map(|line| step.saturating_mul(line))
            .take_while(|value| *value <= top)
            .map(|value| GridLine { y: BASE - height_of(value), label: short(value, data.decimals) })
            .collect();
        let columns = i64::try_from(data.columns.len()).unwrap_or(1).max(1);
        let slot = ((RIGHT - LEFT) / columns).max(2);
        let width = (slot * 11 / 20).clamp(1, 48);
        let every = data.columns.len().div_ceil(MOST_LABELS).max(1);
        let mut bars = Vec::new();
        let mut labels = Vec::new();
        for (column, total) in totals.iter().enumerate() {
            let middle = LEFT + (RIGHT - LEFT) * (2 * i64::try_from(column).unwrap_or(0) + 1) / (2 * columns);
            let mut sum: i64 = 0;
            for (index, one) in series.iter().enumerate() {
                let value = positive(one, column);
                let lower = BASE - height_of(sum);
                sum = sum.saturating_add(value);
                let upper = BASE - height_of(sum);
                if lower == upper {
                    continue;
                }
                let gap = i64::from(lower - upper > 3);
                let amount = exact(value, &data.prefix, data.decimals);
                bars.push(Segment {
                    series: index + 1,
                    x: middle - width / 2,
                    y: upper + gap,
                    width,
                    height: lower - upper - gap,
                    tip: format!("{}, {}: {amount}", one.label, data.columns[column]),
                });
            }
            let has_total = data.columns.len() <= MOST_TOTALS && *total > 0;
            labels.push(ColumnLabel {
                x: middle,
                text: if column % every == 0 { data.columns[column].clone() } else { String::new() },
                total: if has_total { short(*total, data.decimals) } else { String::new() },
                total_y: BASE - height_of(*total) - 7,
            });
        }
        let series = series.into_iter().enumerate().map(|(index, one)| LegendEntry { series: index + 1, label: one.label }).collect();
        Self { width: WIDTH, height: HEIGHT, left: LEFT, right: RIGHT, base: BASE, grid, bars, labels, series }
    }
}

/// At most six series: what comes after the fifth is one series named “Other”.
fn fold_rest(data: &ChartData) -> Vec<ChartSeries> {
    if data.series.len() <= COLOURS {
        return data.series.clone();
    }
    let (kept, rest) = data.series.split_at(COLOURS - 1);
    let values = (0..data.columns.len())
        .map(|column| rest.iter().map(|one| one.values.get(column).copied().unwrap_or(0)).fold(0, i64::saturating_add))
        .collect();
    let mut series = kept.to_vec();
    series.push(ChartSeries { label: "Other".into(), values });
    series
}

fn positive(series: &ChartSeries, column: usize) -> i64 {
    series.values.get(column).copied().unwrap_or(0).max(0)
}

/// `value * factor / divisor` without overflow on the way.
fn widened(value: i64, factor: i64, divisor: i64) -> i64 {
    i64::try_from(i128::from(value) * i128::from(factor) / i128::from(divisor.max(1))).unwrap_or(factor)
}

/// The distance of the grid lines (1, 2 or 5 times a power of ten) and the top of the axis.
fn scale(highest: i64) -> (i64, i64) {
    let mut magnitude: i64 = 1;
    loop {
        for factor in [1, 2, 5] {
            let step = magnitude.saturating_mul(factor);
            let lines = highest / step + i64::from(highest % step != 0);
            if lines <= 4 {
                return (step, step.saturating_mul(lines));
            }
        }
        magnitude = magnitude.saturating_mul(10);
    }
}

/// A short figure for an axis: `950`, `4.2k`, `1.3M`.
fn short(value: i64, decimals: u32) -> String {
    let unit = 10_i64.saturating_pow(decimals);
    let tenths = |divisor: i64| widened(value, 10, divisor);
    let with_tenth = |divisor: i64, suffix: &str| {
        let tenths = tenths(divisor);
        if tenths % 10 == 0 || tenths >= 1000 {
            format!("{}{suffix}", tenths / 10)
        } else {
            format!("{}.{}{suffix}", tenths / 10, tenths % 10)
        }
    };
    let whole = value / unit;
    if whole >= 1_000_000 {
        with_tenth(unit.saturating_mul(1_000_000), "M")
    } else if whole >= 1_000 {
        with_tenth(unit.saturating_mul(1_000), "k")
    } else if whole >= 10 || value == 0 {
        whole.to_string()
    } else {
        let exact = exact(value, "", decimals);
        if decimals == 0 { exact } else { exact.trim_end_matches('0').trim_end_matches('.').to_owned() }
    }
}

/// The whole figure with thousands separated: `€ 4,218.36`.
fn exact(value: i64, prefix: &str, decimals: u32) -> String {
    let unit = 10_i64.saturating_pow(decimals);
    let digits = (value / unit).to_string();
    let mut whole = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            whole.push(',');
        }
        whole.push(digit);
    }
    if decimals == 0 {
        return format!("{prefix}{whole}");
    }
    let rest = (value % unit).abs();
    format!("{prefix}{whole}.{rest:0places$}", places = usize::try_from(decimals).unwrap_or(2))
}

#[cfg(test)]
mod tests {
    use super::{BASE, Chart, ChartData, ChartSeries, TOP, exact, scale, short};

    fn data(series: usize, columns: usize, value: i64) -> ChartData {
        ChartData {
            columns: (0..columns).map(|column| format!("c{column}")).collect(),
            series: (0..series).map(|one| ChartSeries { label: format!("s{one}"), values: vec![value; columns] }).collect(),
            prefix: "€ ".into(),
            decimals: 2,
        }
    }

    #[test]
    fn nothing_to_show_draws_nothing() {
        assert!(Chart::stacked(&ChartData::default()).series.is_empty());
        assert!(Chart::stacked(&data(3, 4, 0)).series.is_empty());
        assert!(Chart::stacked(&data(3, 4, -5)).bars.is_empty());
    }

    #[test]
    fn bars_stay_within_the_drawing_and_touch_the_base() {
        for value in [1, 99, 12_345, i64::MAX / 100] {
            let chart = Chart::stacked(&data(4, 12, value));
            assert!(chart.bars.iter().all(|bar| bar.y >= TOP && bar.y + bar.height <= BASE));
            assert!(chart.bars.iter().any(|bar| bar.y + bar.height == BASE));
            assert!(chart.grid.len() >= 2 && chart.grid.len() <= 6);
        }
    }

    #[test]
    fn a_seventh_series_makes_other() {
        let chart = Chart::stacked(&data(9, 3, 100));
        assert_eq!(chart.series.len(), 6);
        assert_eq!(chart.series[5].label, "Other");
        assert!(chart.bars.iter().any(|bar| bar.tip == "Other, c0: € 4.00"));
    }

    #[test]
    fn many_columns_drop_labels_and_totals_but_no_bars() {
        let chart = Chart::stacked(&data(1, 90, 100));
        assert_eq!(chart.bars.len(), 90);
        assert!(chart.labels.iter().filter(|label| !label.text.is_empty()).count() <= 16);
        assert!(chart.labels.iter().all(|label| label.total.is_empty()));
    }

    #[test]
    fn figures_read_well() {
        assert_eq!(exact(421_836, "€ ", 2), "€ 4,218.36");
        assert_eq!(exact(1_234_567, "¥ ", 0), "¥ 1,234,567");
        assert_eq!(short(421_836, 2), "4.2k");
        assert_eq!(short(95_000, 2), "950");
        assert_eq!(short(5, 2), "0.05");
        assert_eq!(short(0, 2), "0");
        assert_eq!(short(5_000, 3), "5");
        assert_eq!(short(250, 2), "2.5");
        assert_eq!(short(3, 0), "3");
        assert_eq!(scale(421_836), (200_000, 600_000));
    }
}
