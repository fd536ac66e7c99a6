//! What organizations and projects are called: a name, a handle in addresses, and a description.

use crate::{
    ids::Id,
    text::{self, Faults},
};

const NAME: usize = 120;
const DESCRIPTION: usize = 2_000;

/// How somebody wants a new thing to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewNaming {
    /// Its name; required.
    pub name: String,
    /// Its handle; made from the name when absent.
    pub handle: Option<String>,
    /// What it is about.
    pub description: Option<String>,
}

/// What a new thing is called, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Naming {
    /// Its name.
    pub name: String,
    /// The handle that was asked for, or one made from the name.
    pub handle: String,
    /// Whether the handle was asked for, so that a taken one is a conflict rather than a reason to try another.
    pub handle_given: bool,
    /// What it is about.
    pub description: String,
}

impl NewNaming {
    /// Checks it where nothing else is to be checked with it.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn checked(self, fallback: &str) -> Result<Naming, Faults> {
        let mut faults = Faults::new();
        let naming = self.check(fallback, &mut faults);
        faults.or(Some(naming))
    }

    /// Checks everything at once and notes what is wrong; `fallback` is the handle of a name without usable characters.
    pub fn check(self, fallback: &str, faults: &mut Faults) -> Naming {
        let name = check_name(&self.name, faults);
        let given = self.handle.filter(|handle| !handle.trim().is_empty());
        let handle_given = given.is_some();
        let handle = match given {
            Some(handle) => check_handle(&handle, faults),
            None => text::handle_from(&name, fallback),
        };
        let description = check_description(self.description.as_deref().unwrap_or(""), faults);
        Naming { name, handle, handle_given, description }
    }
}

/// A name, or a fault at `/name`.
pub fn check_name(name: &str, faults: &mut Faults) -> String {
    faults.check("/name", text::line(name, NAME)).unwrap_or_default()
}

/// A handle, or a fault at `/handle`.
pub fn check_handle(handle: &str, faults: &mut Faults) -> String {
    faults.check("/handle", text::handle(handle)).unwrap_or_default()
}

/// A description, or a fault at `/description`.
pub fn check_description(description: &str, faults: &mut Faults) -> String {
    faults.check("/description", text::block(description, DESCRIPTION)).unwrap_or_default()
}

/// A made-up handle that is taken, with a suffix from a new id: unique enough to need no second look.
pub fn with_suffix<I: Id>(taken: &str, id: I) -> String {
    let id = id.to_string();
    let suffix = id.get(id.len().saturating_sub(6)..).unwrap_or(&id);
    format!("{}-{suffix}", taken.get(..50).unwrap_or(taken).trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::ProjectId, time::Ts};

    #[test]
    fn a_handle_is_made_from_the_name_and_everything_wrong_is_said_at_once() {
        let mut faults = Faults::new();
        let naming =
            NewNaming { name: "Grid & Works".into(), handle: Some(" ".into()), description: None }.check("organization", &mut faults);
        assert_eq!((naming.handle.as_str(), naming.handle_given), ("grid-works", false));
        assert!(faults.is_empty());

        NewNaming { name: " ".into(), handle: Some("A B".into()), description: Some("\0".into()) }.check("project", &mut faults);
        let pointers: Vec<_> = faults.into_vec().into_iter().map(|fault| fault.pointer).collect();
        assert_eq!(pointers, ["/name", "/handle", "/description"]);
    }

    proptest::proptest! {
        #[test]
        fn a_handle_with_a_suffix_is_a_handle(name in ".{0,80}", random: [u8; 10]) {
            let made = with_suffix(&text::handle_from(&name, "project"), ProjectId::mint(Ts::from_micros(1), random));
            proptest::prop_assert!(text::handle(&made).is_ok(), "{made}");
        }
    }
}
