//! What an authenticator app shows.

use stoa_domain::time::{SECOND, Ts};
use totp_rs::{Algorithm, Secret, TOTP};

/// The six digits that an app with this secret (base32, spaces allowed) shows at an instant.
pub fn totp_code(secret: &str, at: Ts) -> String {
    let secret = Secret::Encoded(secret.replace(' ', "")).to_bytes().expect("a secret in base32");
    let totp = TOTP::new(Algorithm::SHA1, 6, 0, 30, secret, None, "test".into()).expect("an app");
    totp.generate(u64::try_from(at.micros() / SECOND).expect("a time after 1970"))
}
