//! Forms: reading them, and showing them again with what is wrong.

use axum::{
    extract::{FromRequest, Request},
    http::{StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use stoa_actions::Error;
use stoa_domain::text::{Fault, Faults};
use stoa_store::StoreError;

use super::{Field, Flash, Shell};
use crate::problem::ApiError;

/// The fields of a posted form; a field may come several times where its type is a `Vec`.
pub struct PageForm<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for PageForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match axum_extra::extract::Form::<T>::from_request(request, state).await {
            Ok(axum_extra::extract::Form(value)) => Ok(Self(value)),
            Err(bad) => {
                let response = bad.into_response();
                let status = match response.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
                    _ => StatusCode::BAD_REQUEST,
                };
                Err(ApiError::request(status, "bad_form", "the form is not complete; open the page again and fill it in anew"))
            }
        }
    }
}

/// With what a form is answered that is shown again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    status: StatusCode,
    /// After how many seconds the same may succeed.
    retry_after: Option<u32>,
}

impl Shown {
    /// Whether the same form may succeed in a moment.
    pub fn is_for_later(self) -> bool {
        self.retry_after.is_some()
    }
}

impl From<StatusCode> for Shown {
    fn from(status: StatusCode) -> Self {
        Self { status, retry_after: None }
    }
}

/// Why a form was not accepted, to be shown beside its fields.
#[derive(Debug)]
pub struct FormErrors {
    /// What to answer with.
    pub status: Shown,
    code: &'static str,
    whole: Option<String>,
    faults: Vec<Fault>,
}

impl FormErrors {
    /// What a person can mend in the form, or can send again as it is in a moment; anything else (401, 403, 404, 500) is no
    /// matter of the form.
    ///
    /// # Errors
    /// The error itself, to be answered as a page of its own.
    pub fn of(error: Error) -> Result<Self, ApiError> {
        let code = error.code();
        let error = ApiError::from(error);
        let status = Shown { status: error.status(), retry_after: error.retry_after() };
        let ApiError::Action(action) = &error else { return Err(error) };
        let (whole, faults) = match action {
            Error::Invalid(faults) => (None, faults.clone()),
            Error::Unfit { detail, .. } | Error::Conflict { detail, .. } => (Some(detail.clone()), Faults::new()),
            Error::Blocked { detail, because, .. } => (Some(detail.clone()), because.clone()),
            Error::TooLarge { .. } | Error::TooMany(_) => (Some(action.to_string()), Faults::new()),
            Error::Store(StoreError::Busy) => {
                error.log();
                let detail = "somebody else was changing the same at this moment, so nothing was changed here; send it again";
                (Some(detail.to_owned()), Faults::new())
            }
            _ => return Err(error),
        };
        Ok(Self { status, code, whole: whole.as_deref().map(sentence), faults: faults.into_vec() })
    }

    /// Nothing is wrong: for forms that are shown with what they found.
    pub fn none() -> Self {
        Self { status: StatusCode::OK.into(), code: "", whole: None, faults: Vec::new() }
    }

    /// A form refused by the page itself, for one reason at one field.
    pub fn at_field(pointer: &str, detail: &str) -> Self {
        let faults = vec![Fault { pointer: pointer.to_owned(), detail: detail.to_owned() }];
        Self { status: StatusCode::UNPROCESSABLE_ENTITY.into(), code: "invalid", whole: None, faults }
    }

    /// Shows the refusal with that code at one field instead of above the form.
    #[must_use]
    pub fn code_at(mut self, code: &str, pointer: &str) -> Self {
        if self.code == code
            && let Some(detail) = self.whole.take()
        {
            self.faults.push(Fault { pointer: pointer.to_owned(), detail });
        }
        self
    }

    /// What is wrong at a JSON Pointer, once.
    pub fn take(&mut self, pointer: &str) -> Option<String> {
        let index = self.faults.iter().position(|fault| fault.pointer == pointer)?;
        Some(sentence(&self.faults.remove(index).detail))
    }

    /// What is wrong anywhere under a JSON Pointer, with the name of the place: `Unit: this must not be empty.` Once each.
    pub fn take_under(&mut self, pointer: &str) -> Option<String> {
        let index = self.faults.iter().position(|fault| fault.pointer.starts_with(pointer))?;
        let fault = self.faults.remove(index);
        let place = fault.pointer.strip_prefix(pointer).unwrap_or_default().replace(['_', '/'], " ");
        Some(sentence(&if place == "name" { fault.detail } else { format!("{place}: {}", fault.detail) }))
    }

    /// The field at a JSON Pointer with what was typed and what is wrong with it.
    pub fn field(&mut self, pointer: &str, typed: impl Into<String>) -> Field {
        Field { value: typed.into(), error: self.take(pointer) }
    }

    /// What is wrong with the form as a whole: all that no field took. Ask last.
    #[must_use]
    pub fn rest(self) -> Vec<String> {
        self.whole.into_iter().chain(self.faults.into_iter().map(|fault| sentence(&fault.detail))).collect()
    }

    /// Tells at the top of the page all that no field took, where the form has no place of its own for it. Ask last.
    pub fn tell(self, shell: &mut Shell) {
        shell.flash.extend(self.rest().into_iter().map(Flash::danger));
    }

    /// Answers with the form shown again.
    pub fn again(shown: impl Into<Shown>, page: impl IntoResponse) -> Response {
        let Shown { status, retry_after } = shown.into();
        let mut response = page.into_response();
        if response.status() == StatusCode::OK {
            *response.status_mut() = status;
            response.headers_mut().extend(retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
        }
        response
    }
}

/// A text with a capital at its start.
#[must_use]
pub fn sentence_start(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A text of the API as a sentence: with a capital at its start and a full stop at its end.
#[must_use]
pub fn sentence(text: &str) -> String {
    let mut made = sentence_start(text);
    if !made.is_empty() && !made.ends_with(['.', '!', '?', '…']) {
        made.push('.');
    }
    made
}

#[cfg(test)]
mod tests {
    use axum::http::{StatusCode, header::RETRY_AFTER};
    use stoa_actions::Error;
    use stoa_domain::{limits::TooMany, text::Faults};
    use stoa_store::StoreError;

    use super::{FormErrors, Shown, sentence};

    #[test]
    fn what_may_succeed_later_keeps_the_form_and_says_when() {
        let busy = "Somebody else was changing the same at this moment, so nothing was changed here; send it again.";
        for (error, status, wait, told) in [
            (Error::TooMany(TooMany(43)), StatusCode::TOO_MANY_REQUESTS, "43", "Too many attempts; try again in 43 seconds."),
            (Error::Store(StoreError::Busy), StatusCode::SERVICE_UNAVAILABLE, "1", busy),
        ] {
            let errors = FormErrors::of(error).unwrap();
            let answer = FormErrors::again(errors.status, "the form");
            assert_eq!((answer.status(), answer.headers()[RETRY_AFTER].to_str().unwrap()), (status, wait));
            assert_eq!(errors.rest(), [told]);
        }
        assert!(FormErrors::of(Error::Sealing).is_err());
    }

    #[test]
    fn each_fault_stands_at_its_field_and_the_rest_above_the_form() {
        let mut faults = Faults::new();
        faults.add("/name", "this must not be empty");
        faults.add("/elsewhere", "this is wrong");
        let mut errors = FormErrors::of(Error::Invalid(faults)).unwrap();
        let name = errors.field("/name", "typed");
        assert_eq!((name.value.as_str(), name.error.as_deref()), ("typed", Some("This must not be empty.")));
        assert_eq!(errors.field("/handle", "fine").error, None);
        assert_eq!(errors.rest(), ["This is wrong."]);
    }

    #[test]
    fn a_conflict_can_stand_at_a_field() {
        let mut errors = FormErrors::of(Error::conflict("handle_taken", "taken")).unwrap().code_at("handle_taken", "/handle");
        assert_eq!(errors.status, Shown::from(StatusCode::CONFLICT));
        assert_eq!(errors.take("/handle").as_deref(), Some("Taken."));
        assert!(errors.rest().is_empty());
    }

    #[test]
    fn what_no_form_can_mend_passes_on() {
        assert!(FormErrors::of(Error::NotFound("project")).is_err());
        assert!(FormErrors::of(Error::Unauthenticated).is_err());
    }

    #[test]
    fn sentences_begin_and_end_as_such() {
        assert_eq!(sentence("écrit ici"), "Écrit ici.");
        assert_eq!(sentence(""), "");
    }
}
