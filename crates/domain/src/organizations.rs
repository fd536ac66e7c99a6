//! Organizations: legal parties that consume services, provide them, or both.

use crate::{
    countries::Country,
    ids::{Id, OrganizationId},
    naming::{self, Naming, NewNaming},
    text::{self, BadText, Faults},
    time::{DAY, Ts},
};

/// How long an old handle leads to the organization and stays closed to others, in microseconds.
pub const OLD_HANDLE: i64 = 365 * DAY;

/// How long the operator may restore a deleted organization, in microseconds; then it is erased.
pub const RESTORABLE: i64 = 14 * DAY;

/// An organization as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its URL-safe, unique name.
    pub handle: String,
    /// Its name.
    pub name: String,
    /// What it is about; may be empty.
    pub description: String,
    /// Whom to bill and whom to ask.
    pub details: Details,
    /// When it was created.
    pub created_at: Ts,
    /// When its details last changed.
    pub updated_at: Ts,
    /// That the operator suspended it, and why.
    pub suspension: Option<Suspension>,
}

/// The operator's order that nothing of an organization changes and its services and grants are closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// Since when.
    pub since: Ts,
    /// What its members are told.
    pub reason: String,
}

/// Whom to bill and whom to ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// Where bills go.
    pub billing_email: Option<String>,
    /// The name of the legal party.
    pub legal_name: Option<String>,
    /// Its postal address, without the country.
    pub address: Option<String>,
    /// Its country.
    pub country: Option<Country>,
    /// Its VAT number or another number of its tax office.
    pub tax_id: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Whom to call.
    pub contact_phone: Option<String>,
    /// Where the public reads about it.
    pub website: Option<String>,
}

/// A handle or an id: what `{org}` and other path segments take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<I> {
    /// By id.
    Id(I),
    /// By handle.
    Handle(String),
}

impl<I: Id> Key<I> {
    /// Reads a path segment; whatever is not an id is taken for a handle (which finds nothing when it is none).
    pub fn read(segment: &str) -> Self {
        segment.parse().map_or_else(|_| Self::Handle(segment.to_owned()), Self::Id)
    }
}

/// Details as somebody wrote them: what is `None` stays as it is, what is empty is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetailsInput {
    /// Where bills go.
    pub billing_email: Option<String>,
    /// The name of the legal party.
    pub legal_name: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
    /// The two letters of its country.
    pub country: Option<String>,
    /// Its VAT number or another number of its tax office.
    pub tax_id: Option<String>,
    /// Whom to write to.
    pub contact_email: Option<String>,
    /// Whom to call.
    pub contact_phone: Option<String>,
    /// Where the public reads about it.
    pub website: Option<String>,
}

const LEGAL_NAME: usize = 200;
const ADDRESS: usize = 500;
const TAX_ID: usize = 40;

impl DetailsInput {
    /// The details as they would be after the change; what is wrong is noted.
    ///
    /// All of them are optional, but a bill names a party and an address: legal name, address, country and billing address
    /// are given together (and with a tax id) or left out together. A billing address alone is fine.
    fn apply(self, to: &mut Details, faults: &mut Faults) {
        let mut check = |pointer: &str,
                         given: Option<String>,
                         kept: &mut Option<String>,
                         rule: &dyn Fn(&str) -> Result<String, BadText>| match given.as_deref().map(str::trim) {
            None => {}
            Some("") => *kept = None,
            Some(text) => *kept = faults.check(pointer, rule(text)),
        };
        check("/billing_email", self.billing_email, &mut to.billing_email, &text::email);
        check("/legal_name", self.legal_name, &mut to.legal_name, &|text| text::line(text, LEGAL_NAME));
        check("/address", self.address, &mut to.address, &|text| text::block(text, ADDRESS));
        check("/tax_id", self.tax_id, &mut to.tax_id, &|text| text::line(text, TAX_ID));
        check("/contact_email", self.contact_email, &mut to.contact_email, &text::email);
        check("/contact_phone", self.contact_phone, &mut to.contact_phone, &text::phone);
        check("/website", self.website, &mut to.website, &text::url);
        match self.country.as_deref().map(str::trim) {
            None => {}
            Some("") => to.country = None,
            Some(code) => to.country = faults.check("/country", code.parse::<Country>()),
        }
        if faults.is_empty() {
            to.complete(faults);
        }
    }
}

impl Details {
    /// Notes what a bill would miss.
    fn complete(&self, faults: &mut Faults) {
        let parts = [
            ("/legal_name", self.legal_name.is_some()),
            ("/address", self.address.is_some()),
            ("/country", self.country.is_some()),
            ("/billing_email", self.billing_email.is_some()),
        ];
        let is_billed = self.tax_id.is_some() || parts.iter().take(3).any(|(_, given)| *given);
        for (pointer, _) in parts.iter().filter(|(_, given)| is_billed && !given) {
            faults.add(
                *pointer,
                "bills need legal name, address, country and billing address together; write this too, or leave them (and the tax id) empty",
            );
        }
    }

    /// Whether a bill can be addressed.
    pub fn is_complete(&self) -> bool {
        self.legal_name.is_some() && self.address.is_some() && self.country.is_some() && self.billing_email.is_some()
    }
}

/// The details somebody wrote for a new organization.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewOrganization {
    /// Its name, handle and description.
    pub naming: NewNaming,
    /// Whom to bill and whom to ask.
    pub details: DetailsInput,
}

impl NewOrganization {
    /// Checks everything at once.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn check(self) -> Result<(Naming, Details), Faults> {
        let mut faults = Faults::new();
        let naming = self.naming.check("organization", &mut faults);
        let mut details = Details::default();
        self.details.apply(&mut details, &mut faults);
        faults.or(Some((naming, details)))
    }
}

/// A change of an organization's details; what is `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OrganizationChange {
    /// A new name.
    pub name: Option<String>,
    /// A new handle; the old one leads to it for a year.
    pub handle: Option<String>,
    /// A new description.
    pub description: Option<String>,
    /// Changed details.
    pub details: DetailsInput,
}

impl OrganizationChange {
    /// The organization as it would be after the change.
    ///
    /// # Errors
    /// What is wrong, with pointers into the API's JSON.
    pub fn apply(self, to: &Organization) -> Result<Organization, Faults> {
        let mut faults = Faults::new();
        let mut changed = to.clone();
        if let Some(name) = self.name {
            changed.name = naming::check_name(&name, &mut faults);
        }
        // A handle that Stoa made or took before a rule was stricter stays.
        if let Some(handle) = self.handle.filter(|handle| handle.trim() != to.handle) {
            changed.handle = naming::check_handle(&handle, &mut faults);
        }
        if let Some(description) = self.description {
            changed.description = naming::check_description(&description, &mut faults);
        }
        self.details.apply(&mut changed.details, &mut faults);
        faults.or(Some(changed))
    }
}

/// What the operator meets of an organization that may be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It works.
    Live,
    /// The operator suspended it.
    Suspended,
    /// It was deleted, and can be restored until then.
    Deleted {
        /// When its erasure begins.
        until: Ts,
    },
    /// Its data is being erased, or is.
    Erased,
}

impl Standing {
    /// From the marks that are kept.
    pub fn of(suspended: bool, deleted_at: Option<Ts>, erasing: bool, now: Ts) -> Self {
        match deleted_at.map(|deleted| deleted.plus(RESTORABLE)) {
            Some(until) if erasing || until <= now => Self::Erased,
            Some(until) => Self::Deleted { until },
            None if suspended => Self::Suspended,
            None => Self::Live,
        }
    }

    /// The word used in API and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "active",
            Self::Suspended => "suspended",
            Self::Deleted { .. } => "deleted",
            Self::Erased => "erased",
        }
    }

    /// Whether the operator may restore it.
    ///
    /// # Errors
    /// [`CannotRestore`].
    pub const fn restore(self) -> Result<(), CannotRestore> {
        match self {
            Self::Deleted { .. } => Ok(()),
            Self::Live | Self::Suspended => Err(CannotRestore::NotDeleted),
            Self::Erased => Err(CannotRestore::Erased),
        }
    }
}

/// Why an organization can't be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotRestore {
    /// It is there.
    #[error("the organization is not deleted")]
    NotDeleted,
    /// Its time is over.
    #[error("the organization was deleted more than 14 days ago; its data is erased")]
    Erased,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(faults: Faults) -> Vec<String> {
        faults.into_vec().into_iter().map(|fault| fault.pointer).collect()
    }

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn everything_wrong_with_a_new_organization_is_said_at_once() {
        let naming = NewNaming { name: " ".into(), handle: text("A B"), description: None };
        let details = DetailsInput {
            billing_email: text("x"),
            country: text("Germany"),
            contact_phone: text("call me"),
            website: text("example"),
            ..DetailsInput::default()
        };
        let found = pointers(NewOrganization { naming, details }.check().unwrap_err());
        assert_eq!(found, ["/name", "/handle", "/billing_email", "/contact_phone", "/website", "/country"]);
    }

    #[test]
    fn what_a_bill_needs_is_given_together_or_not_at_all() {
        let check = |details: DetailsInput| {
            let naming = NewNaming { name: "Grid".into(), ..NewNaming::default() };
            NewOrganization { naming, details }.check().map(|(_, details)| details.is_complete()).map_err(pointers)
        };
        assert_eq!(check(DetailsInput::default()), Ok(false));
        assert_eq!(check(DetailsInput { billing_email: text("bills@grid.example"), ..DetailsInput::default() }), Ok(false));
        let some = DetailsInput { tax_id: text("DE123456789"), billing_email: text("bills@grid.example"), ..DetailsInput::default() };
        assert_eq!(check(some.clone()), Err(vec!["/legal_name".into(), "/address".into(), "/country".into()]));
        let all = DetailsInput { legal_name: text("Grid Works GmbH"), address: text("Quay 1\n20457 Hamburg"), country: text("de"), ..some };
        assert_eq!(check(all), Ok(true));
    }

    #[test]
    fn what_is_absent_stays_and_what_is_empty_is_removed() {
        let naming = NewNaming { name: "Grid".into(), ..NewNaming::default() };
        let details =
            DetailsInput { billing_email: text("bills@grid.example"), website: text("https://grid.example"), ..DetailsInput::default() };
        let (naming, details) = NewOrganization { naming, details }.check().unwrap();
        let now = Ts::from_micros(1);
        let before = Organization {
            id: OrganizationId::mint(now, [1; 10]),
            handle: naming.handle,
            name: naming.name,
            description: naming.description,
            details,
            created_at: now,
            updated_at: now,
            suspension: None,
        };
        let change = OrganizationChange { details: DetailsInput { website: text(" "), ..DetailsInput::default() }, ..Default::default() };
        let after = change.apply(&before).unwrap();
        assert_eq!((after.details.website, after.details.billing_email.as_deref()), (None, Some("bills@grid.example")));
        let renamed = OrganizationChange { handle: text("power"), ..Default::default() }.apply(&before).unwrap();
        assert_eq!(renamed.handle, "power");
    }

    #[test]
    fn a_deleted_organization_is_restorable_until_it_is_erased() {
        let deleted = Ts::from_micros(1_000);
        let of = |deleted_at, erasing, now: i64| Standing::of(false, deleted_at, erasing, Ts::from_micros(now));
        assert_eq!(of(None, false, 5).restore(), Err(CannotRestore::NotDeleted));
        assert_eq!(of(Some(deleted), false, 1_000 + RESTORABLE - 1).restore(), Ok(()));
        assert_eq!(of(Some(deleted), false, 1_000 + RESTORABLE).restore(), Err(CannotRestore::Erased));
        assert_eq!(of(Some(deleted), true, 1_001).restore(), Err(CannotRestore::Erased));
    }
}
