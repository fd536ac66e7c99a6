//! Asks again who sits there before dangerous acts (step-up).
//!
//! The layer stands around the routes of such acts. When the last proof is too old, it shows a page that asks for
//! one and carries what was sent along in hidden fields; that page's form goes to the same address again, now with the
//! proof. So whoever proves themself goes on where they were, without scripts, and nothing typed is lost.

use axum::{
    Extension,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use stoa_actions::{
    Caller, Error, identities,
    proofs::{self, Proof},
    sessions,
    sessions::Session,
};
use stoa_domain::secrets::Secret;
use stoa_store::Conn;
use url::form_urlencoded;

use super::{Link, Pair, Shell, filters, form::FormErrors, page::local_path, visit::Visit};
use crate::{App, network::ClientAddress, once::LARGEST_BODY, problem::ApiError};

/// The page that asks for a proof.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "step_up.html")]
pub struct StepUpPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// Where the form goes: to what was to be done.
    pub action: String,
    /// What was sent, to be sent again.
    pub fields: Vec<Pair>,
    /// Where `Cancel` leads.
    pub back: String,
    /// Whose password it is.
    pub email: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// Whether there is an authenticator app, or a recovery code is left.
    pub has_code: bool,
    /// Whether there is a passkey.
    pub has_passkeys: bool,
    /// Other ways, such as signing in again with another provider.
    pub links: Vec<Link>,
    /// What was wrong with the last proof.
    pub error: Option<String>,
}

/// What stands in front of the names of the proof's own fields.
const OWN: &str = "proof_";

/// Lets a dangerous act pass when who sits there has just proved who they are, and asks for it otherwise.
pub async fn layer(State(app): State<App>, Extension(visit): Extension<Visit>, request: Request, next: Next) -> Response {
    let now = app.stoa.clock.now();
    let Some(session) = visit.session().filter(|session| !sessions::is_proved(session, now)).cloned() else {
        // Who is not signed in is led to the sign-in by the page itself.
        return next.run(request).await;
    };
    let (parts, body) = request.into_parts();
    let from = ClientAddress::of(&app, &parts.headers, &parts.extensions);
    let Ok(bytes) = to_bytes(body, LARGEST_BODY).await else {
        return ApiError::request(StatusCode::PAYLOAD_TOO_LARGE, "bad_form", "the form is too large").into_response();
    };
    let (own, sent): (Vec<_>, Vec<_>) =
        form_urlencoded::parse(&bytes).into_owned().partition(|(name, _): &(String, String)| name.starts_with(OWN));
    let caller = Caller::user(session.user.clone(), now);
    let error = match proof(&own) {
        None => None,
        Some(proof) => match proofs::renew(&app.stoa, &caller, &session, &from.network(), &proof).await {
            Ok(()) => {
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(&sent).finish();
                let mut request = Request::from_parts(parts, Body::empty());
                request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
                *request.body_mut() = Body::from(body);
                return next.run(request).await;
            }
            Err(error) => match FormErrors::of(error) {
                Ok(errors) => Some((errors.status, errors.rest().join(" "))),
                Err(other) => return other.into_response(),
            },
        },
    };
    let action = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let (status, error) = error.map_or((StatusCode::FORBIDDEN.into(), None), |(status, error)| (status, Some(error)));
    match ask(&app, &visit, &session, &caller, error).await {
        Ok(mut page) => {
            page.fields = sent.into_iter().map(|(name, value)| Pair::new(name, value)).collect();
            page.back = back(&parts.headers, &app.stoa.public_url);
            page.action = action;
            FormErrors::again(status, page)
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

async fn ask(app: &App, visit: &Visit, session: &Session, caller: &Caller, error: Option<String>) -> Result<StepUpPage, Error> {
    let mut conn = app.stoa.db.read().await?;
    let ways = proofs::ways(&mut conn, caller).await?;
    Ok(StepUpPage {
        shell: visit.shell(""),
        email: session.user.email.clone(),
        has_password: ways.password,
        has_code: ways.factors.totp_since.is_some() || ways.factors.recovery_codes > 0,
        has_passkeys: ways.factors.passkeys > 0,
        links: again(app, &mut conn, caller).await?,
        error,
        ..StepUpPage::default()
    })
}

/// Signing in again with another provider, for accounts that are opened by that alone.
async fn again(app: &App, conn: &mut Conn, caller: &Caller) -> Result<Vec<Link>, Error> {
    let linked = identities::list(conn, caller).await?;
    let providers = app.stoa.providers.iter().filter(|provider| linked.iter().any(|one| one.issuer == provider.issuer));
    Ok(providers.map(|one| Link::new(format!("Sign in again with {}", one.name), format!("/sign-in/external/{}", one.handle))).collect())
}

fn proof(own: &[(String, String)]) -> Option<Proof> {
    let field = |name: &str| own.iter().find(|(own, _)| own.strip_prefix(OWN) == Some(name)).map(|(_, value)| value.clone());
    if let Some(answer) = field("passkey") {
        let ceremony = field("ceremony").as_deref().and_then(Secret::read)?;
        return Some(Proof::Passkey { ceremony, answer });
    }
    field("code").map(Proof::Code).or_else(|| field("password").map(Proof::Password))
}

/// The page from which the form was sent.
fn back(headers: &HeaderMap, public_url: &str) -> String {
    let referrer = headers.get(header::REFERER).and_then(|value| value.to_str().ok());
    let path = referrer.and_then(|referrer| referrer.strip_prefix(public_url)).and_then(local_path);
    path.unwrap_or("/account/security").to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Proof, StepUpPage, proof};
    use crate::pages::{Pair, sample};

    #[test]
    fn what_was_typed_is_sent_again() {
        let page = StepUpPage {
            shell: sample::shell(""),
            action: "/account/tokens".into(),
            fields: vec![Pair::new("name", "Nightly \"export\"")],
            back: "/account/tokens".into(),
            has_password: true,
            has_code: true,
            has_passkeys: true,
            error: Some("That was not right.".into()),
            ..StepUpPage::default()
        };
        let html = sample::render("step-up", &page);
        assert_eq!(html.matches("name=\"name\" value=\"Nightly").count(), 3);
    }

    #[test]
    fn one_proof_is_read_from_its_own_fields() {
        let fields = |list: &[(&str, &str)]| list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
        assert!(proof(&fields(&[])).is_none());
        assert!(matches!(proof(&fields(&[("proof_password", "p")])), Some(Proof::Password(password)) if password == "p"));
        assert!(matches!(proof(&fields(&[("proof_code", "1"), ("proof_password", "p")])), Some(Proof::Code(code)) if code == "1"));
        assert!(proof(&fields(&[("proof_passkey", "{}"), ("proof_ceremony", "no secret")])).is_none());
    }
}
