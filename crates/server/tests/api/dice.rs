//! Chance that is the same in every run.

use sha2::{Digest, Sha256};

/// The same numbers in every run of a seed.
pub(crate) struct Dice {
    seed: u64,
    rolls: u64,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, rolls: 0 }
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.rolls += 1;
        let hash: [u8; 32] = Sha256::digest([self.seed.to_be_bytes(), self.rolls.to_be_bytes()].concat()).into();
        u64::from_be_bytes(hash[..8].try_into().unwrap()) % sides
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        if of.is_empty() { None } else { of.get(usize::try_from(self.roll(of.len() as u64)).unwrap()) }
    }
}
