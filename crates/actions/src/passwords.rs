//! Password hashes: argon2id with the library's defaults (19 MiB, two passes), which follow OWASP's advice.
//!
//! Hashing takes tens of milliseconds of a core and 19 MiB, so it runs on the blocking pool, a few at a time.

use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{
    Argon2, PasswordHasher, PasswordVerifier,
    password_hash::phc::{PasswordHash, Salt},
};
use tokio::sync::Semaphore;

use crate::{Error, Result, Stoa};

static AT_ONCE: Semaphore = Semaphore::const_new(4);

/// A hash of no password, against which sign-ins of unknown addresses are verified, so that they take as long as others.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c3RvYS1ub2JvZHktMDAwMA$0000000000000000000000000000000000000000000";

static VERIFIED: AtomicU64 = AtomicU64::new(0);

/// How many passwords this process has verified, those of nobody too: for the measures.
pub fn verified() -> u64 {
    VERIFIED.load(Ordering::Relaxed)
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let _permit = AT_ONCE.acquire().await.map_err(|closed| Error::Hashing(closed.to_string()))?;
    tokio::task::spawn_blocking(work).await.map_err(|failed| Error::Hashing(failed.to_string()))
}

/// Hashes a password for keeping (PHC string format).
///
/// # Errors
/// [`Error::Hashing`].
pub async fn hash(stoa: &Stoa, password: &str) -> Result<String> {
    let mut salt = [0; 16];
    stoa.entropy.fill(&mut salt);
    let password = password.to_owned();
    run(move || {
        let salt = Salt::new(&salt).map_err(|bad| Error::Hashing(bad.to_string()))?;
        Argon2::default()
            .hash_password_with_salt(password.as_bytes(), salt.as_ref())
            .map(|hash| hash.to_string())
            .map_err(|bad| Error::Hashing(bad.to_string()))
    })
    .await?
}

/// Whether a password fits a kept hash; without one, the answer is no after the same work.
///
/// # Errors
/// [`Error::Hashing`].
pub async fn verify(password: &str, kept: Option<String>) -> Result<bool> {
    let password = password.to_owned();
    run(move || {
        let known = kept.is_some();
        let kept = kept.unwrap_or_else(|| NOBODY.to_owned());
        let fits = PasswordHash::new(&kept).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok());
        VERIFIED.fetch_add(1, Ordering::Relaxed);
        known && fits
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobodys_hash_takes_the_work_of_a_new_one() {
        let new: PasswordHash = Argon2::default().hash_password_with_salt(b"x", &[7; 16]).unwrap();
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!((nobody.algorithm, nobody.version, &nobody.params), (new.algorithm, new.version, &new.params));
        let lengths = |hash: &PasswordHash| (hash.salt.as_ref().map(|salt| salt.len()), hash.hash.as_ref().map(|hash| hash.len()));
        assert_eq!(lengths(&nobody), lengths(&new));
    }

    #[tokio::test]
    async fn nobody_knows_nobodys_password_after_the_same_work() {
        let before = verified();
        assert!(!verify("", None).await.unwrap());
        assert!(verified() > before);
    }
}
