//! The edges of the program: the system's clock and its randomness.

use rand::{TryRng as _, rngs::SysRng};
use stoa_actions::{Clock, Entropy};
use stoa_domain::time::Ts;

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
    fn now(&self) -> Ts {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ts::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// The operating system's random numbers.
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        // Without the system's randomness no secret may be made; there is no way to go on.
        SysRng.try_fill_bytes(bytes).expect("the operating system gives random numbers");
    }
}
