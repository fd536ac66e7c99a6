//! How far back whoever follows the logs of all organizations looks.
//!
//! The end of a log carries the time at which its last change was about to be committed, by the clock of the node that made
//! it. So each look reaches back a little, for slow commits and clocks that differ; now and then one reaches farther, and now
//! and then all logs are looked at. Each look reads the ends of so much time, so most must not reach far. Reading twice is
//! harmless, because whoever follows keeps how far each log was read.

use crate::time::{SECOND, Ts};

/// How far back most looks reach, in microseconds.
const NEAR: i64 = 5 * SECOND;

/// How far back a look reaches every [`FAR_EVERY`], for nodes whose clocks differ by more.
const FAR: i64 = 120 * SECOND;

/// How often a look reaches far back.
const FAR_EVERY: i64 = 10 * SECOND;

/// How often all logs are looked at, however old they say they are: the bound for a node whose clock is far behind.
const WHOLE: i64 = 60 * SECOND;

/// The looks there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    last: Option<Ts>,
    /// The last that reached far back.
    far: Option<Ts>,
    /// The last at all logs.
    whole: Option<Ts>,
}

/// How far a look reaches back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// To a little before the last look.
    Near(Ts),
    /// To well before the last look that did so.
    Far(Ts),
    /// To the beginning.
    Whole,
}

impl Reach {
    /// From when on the ends of logs are to be looked at.
    pub fn since(self) -> Ts {
        match self {
            Self::Near(since) | Self::Far(since) => since,
            Self::Whole => Ts::from_micros(i64::MIN),
        }
    }
}

impl Looks {
    /// Whether there was none yet.
    pub fn is_first(&self) -> bool {
        self.last.is_none()
    }

    /// How far the look of now is to reach.
    pub fn reach(&self, now: Ts) -> Reach {
        let lately = |last: Ts, every: i64| (0..every).contains(&(now.micros() - last.micros()));
        let (Some(last), Some(far), Some(whole)) = (self.last, self.far, self.whole) else { return Reach::Whole };
        if !lately(whole, WHOLE) {
            return Reach::Whole;
        }
        if lately(far, FAR_EVERY) { Reach::Near(last.min(now).plus(-NEAR)) } else { Reach::Far(far.min(now).plus(-FAR)) }
    }

    /// Takes note of a look that succeeded; `now` was read before it.
    pub fn looked(&mut self, reach: Reach, now: Ts) {
        match reach {
            Reach::Near(_) => {}
            Reach::Far(_) => self.far = Some(now),
            Reach::Whole => (self.far, self.whole) = (Some(now), Some(now)),
        }
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Ts {
        Ts::from_micros(seconds * SECOND)
    }

    #[test]
    fn most_looks_reach_back_a_little_some_far_and_some_to_the_beginning() {
        let mut looks = Looks::default();
        assert!(looks.is_first());
        assert_eq!(looks.reach(at(1_000)), Reach::Whole);
        looks.looked(Reach::Whole, at(960));
        looks.looked(Reach::Far(at(0)), at(1_000));
        looks.looked(Reach::Near(at(0)), at(1_008));
        assert_eq!(looks.reach(at(1_009)), Reach::Near(at(1_003)));
        assert_eq!(looks.reach(at(1_010)), Reach::Far(at(880)));
        assert_eq!(looks.reach(at(950)), Reach::Whole, "a clock that was set back is not relied on");
        assert_eq!(looks.reach(at(1_020)), Reach::Whole);
        assert_eq!((Reach::Whole.since().micros(), Reach::Near(at(7)).since()), (i64::MIN, at(7)));
    }
}
