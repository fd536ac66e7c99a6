//! Sealing what the database keeps but must not tell: the secrets of authenticator apps, and what half-done sign-ins
//! remember. AES-256-GCM under a key of the installation; see `docs/decisions/0013`.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use stoa_store::{Tx, installation_keys};

use crate::{Error, Result, Stoa};

/// Under which name the key is kept.
const NAME: &str = "seal";

/// The key of the installation that seals.
pub(crate) struct SealingKey(LessSafeKey);

impl SealingKey {
    fn new(key: &[u8; 32]) -> Result<Self> {
        Ok(Self(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).map_err(|_| Error::Sealing)?)))
    }

    /// The installation's key; whoever needs it first makes it.
    pub(crate) async fn of(stoa: &Stoa, tx: &mut Tx) -> Result<Self> {
        if let Some(key) = installation_keys::find(tx, NAME).await? {
            return Self::new(&key);
        }
        let mut key = [0; 32];
        stoa.entropy.fill(&mut key);
        installation_keys::insert(tx, NAME, key, stoa.clock.now()).await?;
        // Another process may have been first: the one that is kept is the one that counts.
        Self::new(&installation_keys::find(tx, NAME).await?.ok_or(Error::Sealing)?)
    }

    /// The sealed form of a text: the nonce, then what it seals. It opens with the same `about` only, so that nobody moves
    /// it to another row.
    pub(crate) fn seal(&self, stoa: &Stoa, about: &[u8], text: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        stoa.entropy.fill(&mut nonce);
        let mut sealed = text.to_vec();
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(about), &mut sealed).map_err(|_| Error::Sealing)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed.
    pub(crate) fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Error::Sealing)?;
        let mut text = text.to_vec();
        let opened = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(about), &mut text).map_err(|_| Error::Sealing)?;
        Ok(opened.to_vec())
    }
}
