//! The page of a refusal: what happened, what to do, and who could.

use super::{Link, Shell, filters};

/// Any error answered to a browser.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The HTTP status.
    pub status: u16,
    /// What happened, in a few words.
    pub title: String,
    /// What happened and what to do, in a sentence or two.
    pub detail: String,
    /// Who could do it, such as “A maintainer of Aurelia Energy can do this.”; may be empty.
    pub who: String,
    /// The stable code of the refusal; may be empty.
    pub code: String,
    /// Where to go from here; the first one is the main way.
    pub links: Vec<Link>,
}

impl ErrorPage {
    /// The page of a status, with the words that fit every page of that status.
    #[must_use]
    pub fn of_status(shell: Shell, status: u16) -> Self {
        let (title, detail) = match status {
            401 => ("Please sign in", "This page needs to know who you are."),
            403 => ("Your role does not allow this", "You may see it, but not do it."),
            404 => ("There is nothing here", "The address is wrong, it was deleted, or you may not see it."),
            409 => ("That does not fit the present state", "It changed since you opened the page. Look at it again and repeat."),
            413 => ("That file is too large", "Choose a smaller file or ask the operator for a higher limit."),
            429 => ("Too many attempts", "Wait a minute, then try again."),
            500.. => ("Something went wrong here", "It is not your fault and nothing was changed. Try again in a moment."),
            _ => ("This did not work", "Check what you entered and try again."),
        };
        let links = if status == 401 {
            vec![Link::new("Sign in", "/sign-in")]
        } else {
            vec![Link::new("Your organizations", "/organizations"), Link::new("Marketplace", "/marketplace")]
        };
        Self { shell, status, title: title.to_owned(), detail: detail.to_owned(), who: String::new(), code: String::new(), links }
    }
}

#[cfg(test)]
mod tests {
    use super::ErrorPage;
    use crate::pages::{Shell, sample};

    #[test]
    fn a_refusal_says_who_could() {
        let mut page = ErrorPage::of_status(sample::shell("organizations"), 403);
        page.who = "A maintainer of Aurelia Energy can do this: Tomas Reed.".into();
        page.code = "role_refused".into();
        let html = sample::render("error-403", &page);
        assert!(html.contains("Tomas Reed") && html.contains("role_refused"));
    }

    #[test]
    fn every_status_has_words_and_a_way_on() {
        for status in [400, 401, 403, 404, 409, 413, 422, 429, 500, 503] {
            let page = ErrorPage::of_status(Shell::default(), status);
            assert!(!page.title.is_empty() && !page.links.is_empty());
            sample::render(&format!("error-{status}-anonymous"), &page);
        }
    }
}
