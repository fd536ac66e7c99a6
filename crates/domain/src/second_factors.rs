//! Second factors: time-based one-time passwords (RFC 6238) and recovery codes.

use sha2::{Digest, Sha256};

use crate::{
    ids::{Id, UserId},
    secrets::SecretHash,
    time::{SECOND, Ts},
};

/// How long one code of an authenticator app lives, in seconds.
pub const STEP: i64 = 30;

/// How many steps the clocks of an authenticator and of the server may differ, either way.
pub const DRIFT: i64 = 1;

/// How many bytes the secret of an authenticator app has: 160 bits, as RFC 4226 advises.
pub const SECRET_BYTES: usize = 20;

/// How many recovery codes are made at a time.
pub const RECOVERY_CODES: usize = 10;

/// How many random bytes a recovery code has: 80 bits, which nobody guesses from its hash.
pub const RECOVERY_BYTES: usize = 10;

/// How often a wrong code may be given before the sign-in begins anew.
pub const MOST_ATTEMPTS: i64 = 5;

/// The steps whose codes count at `now`, the likeliest first, without those at or before the last one used: a code is
/// accepted once.
pub fn steps(now: Ts, last_used: i64) -> impl Iterator<Item = i64> {
    let present = now.micros().div_euclid(STEP * SECOND);
    std::iter::once(present).chain((1..=DRIFT).flat_map(move |by| [present - by, present + by])).filter(move |step| *step > last_used)
}

/// The digits of a typed code, if it can be one of an authenticator app: six digits, with or without spaces.
pub fn digits(typed: &str) -> Option<String> {
    let bare: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
    (bare.len() == 6 && bare.bytes().all(|b| b.is_ascii_digit())).then_some(bare)
}

/// The letters of recovery codes: none that is mistaken for another (Crockford's base32).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A recovery code from random bytes: sixteen letters in four groups.
pub fn recovery_code(random: [u8; RECOVERY_BYTES]) -> String {
    let mut code = String::with_capacity(19);
    let mut number = random.iter().fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
    let mut letters = Vec::with_capacity(16);
    for _ in 0..16 {
        letters.push(char::from(LETTERS[usize::from((number & 31) as u8)]));
        number >>= 5;
    }
    for (index, letter) in letters.into_iter().enumerate() {
        if index > 0 && index % 4 == 0 {
            code.push('-');
        }
        code.push(letter);
    }
    code
}

/// The letters of a typed recovery code as they were given out: case, hyphens and spaces do not count, and what looks
/// alike is the same.
pub fn recovery_letters(typed: &str) -> Option<String> {
    let bare: String = typed
        .chars()
        .filter(|c| !c.is_whitespace() && *c != '-')
        .map(|c| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        })
        .collect();
    (bare.len() == 16 && bare.bytes().all(|b| LETTERS.contains(&b))).then_some(bare)
}

/// What is kept of a recovery code. The code has 80 random bits, so that a plain hash, made each person's own, keeps it.
pub fn recovery_hash(user: UserId, code: &str) -> Option<SecretHash> {
    let letters = recovery_letters(code)?;
    Some(Sha256::new().chain_update(b"stoa recovery code").chain_update(user.bytes()).chain_update(letters).finalize().into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(byte: u8) -> UserId {
        UserId::mint(Ts::from_micros(1_790_000_000_000_000), [byte; 10])
    }

    proptest! {
        #[test]
        fn a_recovery_code_reads_back_however_it_is_typed(random in any::<[u8; RECOVERY_BYTES]>()) {
            let code = recovery_code(random);
            prop_assert_eq!(code.len(), 19);
            let hash = recovery_hash(user(1), &code);
            prop_assert!(hash.is_some());
            prop_assert_eq!(recovery_hash(user(1), &code.to_uppercase().replace('-', " ")), hash);
            prop_assert_ne!(recovery_hash(user(2), &code), hash);
        }

        #[test]
        fn different_bytes_give_different_codes(one in any::<[u8; RECOVERY_BYTES]>(), other in any::<[u8; RECOVERY_BYTES]>()) {
            prop_assert_eq!(one == other, recovery_code(one) == recovery_code(other));
        }

        #[test]
        fn a_step_that_was_used_never_counts_again(seconds in 1_000_000_i64..4_000_000_000, used in 0_i64..200_000_000) {
            let now = Ts::from_micros(seconds * SECOND);
            let present = seconds / STEP;
            for step in steps(now, used) {
                prop_assert!(step > used && (step - present).abs() <= DRIFT);
            }
        }
    }

    #[test]
    fn only_what_can_be_a_code_is_looked_up() {
        assert_eq!(digits(" 123 456 ").as_deref(), Some("123456"));
        for wrong in ["12345", "1234567", "12345a", ""] {
            assert_eq!(digits(wrong), None);
        }
        assert_eq!(recovery_letters("OIL0-0000-0000-0000").as_deref(), Some("0110000000000000"));
        assert_eq!(recovery_letters("u000-0000-0000-0000"), None);
        assert_eq!(recovery_letters("0000"), None);
    }
}
