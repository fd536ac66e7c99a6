//! The page to sign in.

use super::{Shell, filters};

/// `GET /sign-in`, and again when the sign-in failed.
#[derive(Debug, askama::Template, askama_web::WebTemplate)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// What surrounds the page; `nav` is `sign-in`.
    pub shell: Shell,
    /// The address typed before.
    pub email: String,
    /// Where to go afterwards; a path of this installation or empty. Sent back as `next`.
    pub next: String,
    /// Why it failed.
    pub error: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::SignInPage;
    use crate::pages::{Shell, sample};

    #[test]
    fn the_page_keeps_the_address_and_says_what_failed() {
        let shell = Shell { nav: "sign-in", ..Shell::default() };
        let page = SignInPage {
            shell,
            email: "mira@aurelia.example".into(),
            next: "/requests".into(),
            error: Some("E-mail address or password is wrong.".into()),
        };
        let html = sample::render("sign-in", &page);
        assert!(html.contains("mira@aurelia.example") && html.contains("is wrong"));
    }
}
