//! The fields of an organization's details, for a new one and for its settings.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::organizations;
use stoa_domain::{
    countries::Country,
    naming::NewNaming,
    organizations::{DetailsInput, Key, NewOrganization, Organization, OrganizationChange},
};

use super::{
    Choice, Field, filters,
    form::{FormErrors, sentence},
    page::{Page, PageResult},
};
use crate::extract::ApiQuery;

/// What is typed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct OrganizationForm {
    name: String,
    handle: String,
    description: String,
    billing_email: String,
    legal_name: String,
    address: String,
    country: String,
    tax_id: String,
    contact_email: String,
    contact_phone: String,
    website: String,
}

impl OrganizationForm {
    fn details(&self) -> DetailsInput {
        let form = self.clone();
        DetailsInput {
            billing_email: Some(form.billing_email),
            legal_name: Some(form.legal_name),
            address: Some(form.address),
            country: Some(form.country),
            tax_id: Some(form.tax_id),
            contact_email: Some(form.contact_email),
            contact_phone: Some(form.contact_phone),
            website: Some(form.website),
        }
    }

    /// As a new organization.
    pub(super) fn new_organization(&self) -> NewOrganization {
        let form = self.clone();
        let naming = NewNaming { name: form.name, handle: Some(form.handle), description: Some(form.description) };
        NewOrganization { naming, details: self.details() }
    }

    /// As a change of one; a handle left empty stays.
    pub(super) fn change(&self) -> OrganizationChange {
        let form = self.clone();
        OrganizationChange {
            name: Some(form.name),
            handle: Some(form.handle).filter(|handle| !handle.trim().is_empty()),
            description: Some(form.description),
            details: self.details(),
        }
    }
}

/// The fields as they are shown.
#[derive(Debug, Clone, Default)]
pub struct OrganizationFields {
    /// The name.
    pub name: Field,
    /// The handle.
    pub handle: Field,
    /// What the availability of a handle is asked with: `?of=…`, or empty for a new organization.
    pub of: String,
    /// Whether an empty handle is made from the name.
    pub handle_is_made: bool,
    /// The description.
    pub description: Field,
    /// Where bills go.
    pub billing_email: Field,
    /// The name of the legal party.
    pub legal_name: Field,
    /// Its postal address.
    pub address: Field,
    /// Its country; the first choice is none.
    pub countries: Vec<Choice>,
    /// What is wrong with the country.
    pub country: Field,
    /// Its tax number.
    pub tax_id: Field,
    /// Whom to write to.
    pub contact_email: Field,
    /// Whom to call.
    pub contact_phone: Field,
    /// Its website.
    pub website: Field,
}

fn countries(chosen: &str) -> Vec<Choice> {
    let none = Choice::new("", "–", chosen.is_empty());
    let some = Country::all().iter().map(|country| Choice::new(country.code(), country.name(), country.code() == chosen));
    std::iter::once(none).chain(some).collect()
}

impl OrganizationFields {
    /// Of a new organization.
    pub(super) fn empty() -> Self {
        Self { countries: countries(""), handle_is_made: true, ..Self::default() }
    }

    /// With the details as they are.
    pub(super) fn of(organization: &Organization) -> Self {
        let details = &organization.details;
        let field = |kept: &Option<String>| Field::new(kept.clone().unwrap_or_default());
        let country = details.country.map(Country::code).unwrap_or_default();
        Self {
            name: Field::new(&organization.name),
            handle: Field::new(&organization.handle),
            of: format!("?of={}", organization.handle),
            handle_is_made: false,
            description: Field::new(&organization.description),
            billing_email: field(&details.billing_email),
            legal_name: field(&details.legal_name),
            address: field(&details.address),
            countries: countries(&country),
            country: Field::new(country),
            tax_id: field(&details.tax_id),
            contact_email: field(&details.contact_email),
            contact_phone: field(&details.contact_phone),
            website: field(&details.website),
        }
    }

    /// With what was typed, and what is wrong with it.
    pub(super) fn again(self, form: OrganizationForm, errors: &mut FormErrors) -> Self {
        Self {
            name: errors.field("/name", form.name),
            handle: errors.field("/handle", form.handle),
            description: errors.field("/description", form.description),
            billing_email: errors.field("/billing_email", form.billing_email),
            legal_name: errors.field("/legal_name", form.legal_name),
            address: errors.field("/address", form.address),
            countries: countries(&form.country),
            country: errors.field("/country", form.country),
            tax_id: errors.field("/tax_id", form.tax_id),
            contact_email: errors.field("/contact_email", form.contact_email),
            contact_phone: errors.field("/contact_phone", form.contact_phone),
            website: errors.field("/website", form.website),
            ..self
        }
    }

    /// The country's name, for those who may only read.
    #[must_use]
    pub fn country_name(&self) -> &str {
        self.countries.iter().find(|choice| choice.checked && !choice.value.is_empty()).map_or("", |choice| choice.label.as_str())
    }
}

/// `GET /organizations/handle`: whether a handle is free, as a piece of a page.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "handle_state.html")]
pub struct HandleState {
    /// Whether it is.
    pub free: bool,
    /// The sentence; empty when nothing was typed.
    pub text: String,
}

/// Which handle, for which organization.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct HandleQuery {
    handle: String,
    of: String,
}

/// `GET /organizations/handle`.
pub async fn handle_state(page: Page, ApiQuery(query): ApiQuery<HandleQuery>) -> PageResult {
    if query.handle.trim().is_empty() {
        return Ok(HandleState { free: true, text: String::new() }.into_response());
    }
    let of = Some(query.of.as_str()).filter(|of| !of.is_empty()).map(Key::read);
    let mut conn = page.read().await?;
    let state = match organizations::check_handle(&mut conn, &page.caller, &query.handle, of.as_ref()).await {
        Ok(handle) => HandleState { free: true, text: format!("{handle} is free.") },
        Err(error) => {
            let mut errors = FormErrors::of(error)?.code_at("handle_taken", "/handle");
            HandleState { free: false, text: errors.take("/handle").unwrap_or_else(|| sentence("this handle can't be used")) }
        }
    };
    Ok(state.into_response())
}
