//! Limits against guessing: how many attempts there may be at what could be guessed.
//!
//! Each attempt counts thrice: for the account it is about, for the network it comes from, and for the installation. An
//! allowance is regained steadily (the generic cell rate algorithm), so that one instant says all about a key: until when
//! what was used of it is not yet regained.
//!
//! Mails to people who did not ask for them count in the same way: by whom, for which organization, to which address, and for the
//! installation.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::{
    ids::{OrganizationId, UserId},
    time::{DAY, HOUR, SECOND, Ts},
    words::words,
};

/// So many attempts within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// How many at once.
    pub times: u32,
    /// How long until all of them are regained, in microseconds.
    pub within: i64,
}

/// The limit is reached; after so many seconds there may be one attempt more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts; try again in {}", wait(*.0))]
pub struct TooMany(pub u32);

/// So many seconds, rounded up to what a person waits for.
fn wait(seconds: u32) -> String {
    let (number, unit) = match seconds {
        ..120 => (seconds, "second"),
        120..7_200 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

impl Limit {
    const fn new(times: u32, within: i64) -> Self {
        Self { times, within }
    }

    /// What one attempt uses, in microseconds.
    fn one(self) -> i64 {
        self.within / i64::from(self.times.max(1))
    }

    /// Until when the allowance is used up in part, after one more attempt at `now`.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn take(self, spent_until: Ts, now: Ts) -> Result<Ts, TooMany> {
        self.take_many(spent_until, now, 1)
    }

    /// The same after so many attempts at once: all of them, or none.
    ///
    /// # Errors
    /// [`TooMany`].
    pub fn take_many(self, spent_until: Ts, now: Ts, many: u32) -> Result<Ts, TooMany> {
        let after = spent_until.max(now).plus(self.one().saturating_mul(i64::from(many)));
        let beyond = after.micros() - now.plus(self.one() * i64::from(self.times)).micros();
        if beyond > 0 { Err(TooMany(u32::try_from(beyond.div_euclid(SECOND) + 1).unwrap_or(u32::MAX))) } else { Ok(after) }
    }

    /// The same when one attempt turned out to be none.
    #[must_use]
    pub fn give_back(self, spent_until: Ts) -> Ts {
        spent_until.plus(-self.one())
    }
}

words! {
    /// What could be guessed, or what makes somebody else pay for an attempt.
    Door, NotADoor, "something that is limited" {
        /// A password.
        SignIn = "sign_in",
        /// A mail to an address that may become an account.
        SignUp = "sign_up",
        /// A mail to somebody who may have forgotten a password.
        ForgottenPassword = "forgotten_password",
        /// A mail to another address of one's own.
        AddressChange = "address_change",
        /// The secret of a link.
        Link = "link",
        /// The secret of an application.
        ApplicationSecret = "application_secret",
    }
}

/// The limits of a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one account (or the address that may have one, or an application).
    pub account: Limit,
    /// For one network.
    pub network: Limit,
    /// For the installation.
    pub total: Limit,
}

impl Door {
    /// How much it takes.
    pub const fn limits(self) -> Limits {
        const QUARTER: i64 = 15 * 60 * SECOND;
        let (account, network, total) = match self {
            Self::SignIn => (Limit::new(10, QUARTER), Limit::new(100, QUARTER), Limit::new(6_000, QUARTER)),
            Self::SignUp | Self::ForgottenPassword | Self::AddressChange => {
                (Limit::new(5, HOUR), Limit::new(30, HOUR), Limit::new(1_000, HOUR))
            }
            Self::Link => (Limit::new(30, QUARTER), Limit::new(30, QUARTER), Limit::new(6_000, QUARTER)),
            Self::ApplicationSecret => (Limit::new(30, QUARTER), Limit::new(300, QUARTER), Limit::new(60_000, QUARTER)),
        };
        Limits { account, network, total }
    }
}

/// The name under which attempts are counted: a hash, so that the count tells nobody who tried.
pub type KeyHash = [u8; 32];

/// An attempt: at which door, about whom, from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// What could be guessed.
    pub door: Door,
    /// The address of the account as it was typed, or another name of whom it is about.
    pub account: &'a str,
    /// Where it comes from, as [`network`] names it.
    pub network: &'a str,
}

impl Attempt<'_> {
    /// The keys under which it is counted, each with its limit: account, network, total.
    pub fn keys(&self) -> [(KeyHash, Limit); 3] {
        let limits = self.door.limits();
        let account = self.account.trim().to_lowercase();
        [
            (self.key("account", &account), limits.account),
            (self.key("network", self.network), limits.network),
            (self.key("total", ""), limits.total),
        ]
    }

    fn key(&self, what: &str, who: &str) -> KeyHash {
        key(self.door.word(), what, who)
    }
}

fn key(door: &str, what: &str, who: &str) -> KeyHash {
    let mut hasher = Sha256::new();
    for part in [door, what, who] {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

words! {
    /// A mail that somebody makes the installation send to others, who did not ask for it.
    Letter, NotALetter, "a mail to others" {
        /// An invitation, each time it is sent.
        Invitation = "invitation",
        /// The code that verifies a domain.
        DomainCode = "domain_code",
    }
}

/// The limits of mails to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterLimits {
    /// To one address, whoever sends.
    pub address: Limit,
    /// By one account.
    pub account: Limit,
    /// For one organization.
    pub organization: Limit,
    /// For the installation.
    pub total: Limit,
}

impl Letter {
    /// How many there may be. Two of the longest lists of members fit into a day.
    pub const fn limits(self) -> LetterLimits {
        const MANY: u32 = 2_000;
        let (address, account, organization, total) = match self {
            Self::Invitation => (Limit::new(10, DAY), Limit::new(MANY, DAY), Limit::new(MANY, DAY), Limit::new(10 * MANY, DAY)),
            Self::DomainCode => (Limit::new(10, DAY), Limit::new(40, DAY), Limit::new(40, DAY), Limit::new(1_000, DAY)),
        };
        LetterLimits { address, account, organization, total }
    }
}

/// Mails to others that are about to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Letters<'a> {
    /// Which.
    pub letter: Letter,
    /// By whom.
    pub account: UserId,
    /// For which organization.
    pub organization: OrganizationId,
    /// To which addresses, in lower case, each once.
    pub to: &'a [String],
}

impl Letters<'_> {
    /// The keys under which they are counted, each with its limit and how many count.
    pub fn keys(&self) -> Vec<(KeyHash, Limit, u32)> {
        let limits = self.letter.limits();
        let many = u32::try_from(self.to.len()).unwrap_or(u32::MAX);
        let key = |what, who: &str| key(self.letter.word(), what, who);
        let mut keys = vec![
            (key("account", &self.account.to_string()), limits.account, many),
            (key("organization", &self.organization.to_string()), limits.organization, many),
            (key("total", ""), limits.total, many),
        ];
        keys.extend(self.to.iter().map(|to| (key("address", to), limits.address, 1)));
        keys
    }
}

/// The network of an IP address: the address itself, of version 6 its first 64 bits, which one customer has to itself.
pub fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: Limit = Limit::new(10, 600 * SECOND);

    fn at(seconds: i64) -> Ts {
        Ts::from_micros(seconds * SECOND)
    }

    #[test]
    fn the_wait_is_told_in_what_people_count_in() {
        let told = |seconds| TooMany(seconds).to_string().rsplit("try again in ").next().unwrap().to_owned();
        let all = [1, 119, 120, 121, 7_199, 7_200, 8_641].map(told);
        assert_eq!(all, ["1 second", "119 seconds", "2 minutes", "3 minutes", "120 minutes", "2 hours", "3 hours"]);
    }

    #[test]
    fn ten_at_once_then_one_a_minute() {
        let mut spent = at(0);
        for _ in 0..10 {
            spent = LIMIT.take(spent, at(1_000)).unwrap();
        }
        assert_eq!(LIMIT.take(spent, at(1_000)), Err(TooMany(61)));
        assert_eq!(LIMIT.take(spent, at(1_059)), Err(TooMany(2)));
        spent = LIMIT.take(spent, at(1_060)).unwrap();
        assert!(LIMIT.take(spent, at(1_060)).is_err());
        assert!(LIMIT.take(LIMIT.give_back(spent), at(1_060)).is_ok());
    }

    #[test]
    fn networks_of_version_six_are_those_of_a_customer() {
        assert_eq!(network("192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7".parse().unwrap()), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6".parse().unwrap()), "2001:db8:1:2::/64");
    }

    #[test]
    fn an_address_counts_however_it_is_written_and_each_door_for_itself() {
        let attempt = |door, account| Attempt { door, account, network: "192.0.2.7" }.keys().map(|(key, _)| key);
        assert_eq!(attempt(Door::SignIn, " Ada@Grid.example"), attempt(Door::SignIn, "ada@grid.example"));
        assert_ne!(attempt(Door::SignIn, "a")[0], attempt(Door::SignIn, "b")[0]);
        assert_ne!(attempt(Door::SignIn, "a")[1], attempt(Door::SignUp, "a")[1]);
    }

    #[test]
    fn the_third_key_counts_all_of_a_door_and_nothing_of_another() {
        let third = |door, account, network| Attempt { door, account, network }.keys()[2];
        let (key, limit) = third(Door::SignIn, "ada", "192.0.2.7");
        assert_eq!(limit, Door::SignIn.limits().total);
        assert_eq!(third(Door::SignIn, "ben", "198.51.100.9"), (key, limit), "whoever tries, from wherever");
        let all: Vec<_> = Door::ALL.iter().map(|door| third(*door, "ada", "192.0.2.7").0).collect();
        assert!((0..all.len()).all(|at| !all[at + 1..].contains(&all[at])), "each door for itself");
        for door in Door::ALL {
            let keys = Attempt { door: *door, account: "ada", network: "ada" }.keys().map(|(key, _)| key);
            assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2], "{door}: an account, a network and all are told apart");
        }
    }

    #[test]
    fn two_of_the_longest_lists_are_invited_in_a_day_and_nobody_more_than_ten_times() {
        use crate::{ids::Id, member_lists::MOST_LINES};
        let many = u32::try_from(MOST_LINES).unwrap();
        for limit in [Letter::Invitation.limits().account, Letter::Invitation.limits().organization] {
            let twice = limit.take_many(at(0), at(9), many).and_then(|spent| limit.take_many(spent, at(9), many)).unwrap();
            assert!(limit.take(twice, at(9)).is_err());
            assert!(limit.take(twice, at(9).plus(DAY)).is_ok());
        }
        let (account, organization) = (UserId::mint(at(9), [1; 10]), OrganizationId::mint(at(9), [1; 10]));
        let to = ["ben@grid.example".to_owned(), "cleo@grid.example".to_owned()];
        let keys = Letters { letter: Letter::Invitation, account, organization, to: &to }.keys();
        assert_eq!(keys.iter().map(|(_, _, many)| *many).collect::<Vec<_>>(), [2, 2, 2, 1, 1]);
        let other = Letters { letter: Letter::DomainCode, account, organization, to: &to }.keys();
        assert!(keys.iter().zip(&other).all(|(one, other)| one.0 != other.0), "each kind counts for itself");
    }

    proptest! {
        #[test]
        fn no_rhythm_of_attempts_gets_more_than_twice_the_limit_into_its_time(waits in prop::collection::vec(0_i64..200, 1..300)) {
            let (mut now, mut spent, mut admitted) = (at(0), at(0), Vec::new());
            for wait in waits {
                now = now.plus(wait * SECOND);
                if let Ok(after) = LIMIT.take(spent, now) {
                    spent = after;
                    admitted.push(now);
                }
            }
            for first in &admitted {
                let within = admitted.iter().filter(|one| (first.micros()..first.plus(LIMIT.within).micros()).contains(&one.micros())).count();
                prop_assert!(within <= 20, "{within}");
            }
        }

        #[test]
        fn who_is_refused_is_admitted_after_the_time_told(attempts in 1_usize..40) {
            let (now, mut spent) = (at(5), at(0));
            for _ in 0..attempts {
                match LIMIT.take(spent, now) {
                    Ok(after) => spent = after,
                    Err(TooMany(seconds)) => {
                        prop_assert!(LIMIT.take(spent, now.plus(i64::from(seconds) * SECOND)).is_ok());
                    }
                }
            }
        }
    }
}
