//! What an `Idempotency-Key` gives: the name under which its answer is kept, and the key that seals the answer.
//!
//! An answer may hold a secret that is shown once, and still the same request must get it again. So it is kept sealed
//! (AES-256-GCM) under a key that only the client's own text gives (HKDF, RFC 5869): the table alone opens nothing.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Salt},
};

use crate::{Error, Result};

/// What comes of one client's `Idempotency-Key`.
pub(crate) struct Key {
    /// Under which the answer is kept.
    pub(crate) hash: [u8; 32],
    seal: LessSafeKey,
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl Key {
    /// From the header's text and whose it is; the same text of two clients gives unrelated keys.
    pub(crate) fn new(principal: &str, text: &str) -> Result<Self> {
        let secret = Salt::new(HKDF_SHA256, principal.as_bytes()).extract(text.as_bytes());
        let derive = |purpose: &[u8]| -> Result<[u8; 32]> {
            let mut derived = [0; 32];
            let info = [purpose];
            secret.expand(&info, Length).and_then(|okm| okm.fill(&mut derived)).map_err(|_| Error::Sealing)?;
            Ok(derived)
        };
        let hash = derive(b"stoa idempotency key: name")?;
        let seal = UnboundKey::new(&AES_256_GCM, &derive(b"stoa idempotency key: answer")?).map_err(|_| Error::Sealing)?;
        Ok(Self { hash, seal: LessSafeKey::new(seal) })
    }

    /// The sealed form of an answer's body: the nonce, then what it seals.
    pub(crate) fn seal(&self, nonce: [u8; NONCE_LEN], body: &[u8]) -> Result<Vec<u8>> {
        let mut text = body.to_vec();
        self.seal.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut text).map_err(|_| Error::Sealing)?;
        Ok([&nonce[..], &text].concat())
    }

    /// The body that was sealed.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Error::Sealing)?;
        let mut text = text.to_vec();
        let opened = self.seal.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), &mut text).map_err(|_| Error::Sealing)?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_text_of_the_same_client_opens_an_answer() {
        let key = Key::new("usr_1", "k-1").unwrap();
        let sealed = key.seal([7; 12], b"{\"secret\":\"shown once\"}").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_eq!(Key::new("usr_1", "k-1").unwrap().open(&sealed).unwrap(), b"{\"secret\":\"shown once\"}");
        for (principal, text) in [("usr_2", "k-1"), ("usr_1", "k-2")] {
            let other = Key::new(principal, text).unwrap();
            assert_ne!(other.hash, key.hash);
            assert!(other.open(&sealed).is_err());
        }
        assert!(key.open(&sealed[..11]).is_err());
    }
}
