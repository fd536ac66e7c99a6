//! Other providers of accounts (OpenID Connect 1.0): asking one who somebody is. Discovery, PKCE, nonce and the checks of
//! the id token are the library's; here is only what it is told.
//!
//! A provider's description and keys are read anew for each sign-in, so that keys it has changed need nothing here.

use std::{
    sync::LazyLock,
    time::{Duration, UNIX_EPOCH},
};

use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse,
    core::{CoreAuthenticationFlow, CoreClient, CoreProviderMetadata},
    http,
};
use stoa_domain::{text, time::Ts};

use crate::{Error, Result, Stoa};

/// A provider as the operator named it.
#[derive(Clone, PartialEq, Eq)]
pub struct Provider {
    /// How addresses name it: made from its name.
    pub handle: String,
    /// How people know it.
    pub name: String,
    /// Its issuer, as in its id tokens.
    pub issuer: String,
    /// How it knows this installation.
    pub client_id: String,
    /// What this installation proves itself with; `None` for a public client.
    pub client_secret: Option<String>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Provider({} at {})", self.name, self.issuer)
    }
}

/// What a provider says of a person, after all checks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Who says it.
    pub issuer: String,
    /// How it knows the person.
    pub subject: String,
    /// The person's address, if the provider says that it has verified it.
    pub verified_email: Option<String>,
    /// What the person is called.
    pub name: Option<String>,
}

/// What must be the same when the person comes back.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Sent {
    pub(crate) nonce: String,
    pub(crate) verifier: String,
}

impl Sent {
    pub(crate) fn new(stoa: &Stoa) -> Self {
        let random = || {
            let mut bytes = [0; 32];
            stoa.entropy.fill(&mut bytes);
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        Self { nonce: random(), verifier: random() }
    }
}

/// How long a provider may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most bytes of a provider's answer.
const LARGEST: usize = 1024 * 1024;

#[expect(clippy::disallowed_methods, reason = "the one place where the client for other providers is made: with limits, without redirects")]
static CLIENT: LazyLock<std::result::Result<reqwest::Client, String>> = LazyLock::new(|| {
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE);
    builder.build().map_err(|error| error.to_string())
});

/// Why a provider could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreachable(String);

async fn send(request: HttpRequest) -> std::result::Result<HttpResponse, Unreachable> {
    let failed = |error: reqwest::Error| Unreachable(error.to_string());
    let client = CLIENT.as_ref().map_err(|error| Unreachable(error.clone()))?;
    let request = reqwest::Request::try_from(request).map_err(failed)?;
    let mut answer = client.execute(request).await.map_err(failed)?;
    let mut response = http::Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Unreachable("the answer is too long".into()));
        }
        body.extend_from_slice(&chunk);
    }
    response.body(body).map_err(|error| Unreachable(error.to_string()))
}

fn failed(provider: &Provider, what: &str, error: &dyn std::fmt::Display) -> Error {
    tracing::warn!(provider = provider.name, %error, "{what}");
    Error::Unfit {
        code: "provider_failed",
        detail: format!("{} could not be asked or its answer did not pass the checks; try again", provider.name),
    }
}

async fn metadata(provider: &Provider) -> Result<CoreProviderMetadata> {
    let issuer = IssuerUrl::new(provider.issuer.clone()).map_err(|error| failed(provider, "an issuer is no address", &error))?;
    CoreProviderMetadata::discover_async(issuer, &send)
        .await
        .map_err(|error| failed(provider, "a provider's description can't be read", &crate::error::chain(&error)))
}

fn redirect(stoa: &Stoa, provider: &Provider) -> Result<RedirectUrl> {
    let url = format!("{}/sign-in/external/{}/callback", stoa.public_url, provider.handle);
    RedirectUrl::new(url).map_err(|error| failed(provider, "the public address is no address", &error))
}

/// A provider that can be asked.
pub(crate) struct Reached<'a> {
    stoa: &'a Stoa,
    provider: &'a Provider,
    metadata: CoreProviderMetadata,
}

/// Reads a provider's description.
pub(crate) async fn reach<'a>(stoa: &'a Stoa, provider: &'a Provider) -> Result<Reached<'a>> {
    Ok(Reached { stoa, provider, metadata: metadata(provider).await? })
}

impl Reached<'_> {
    /// Where the person is sent.
    pub(crate) fn address(&self, state: &str, sent: &Sent) -> Result<String> {
        let client = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(self.provider.client_id.clone()), None)
            .set_redirect_uri(redirect(self.stoa, self.provider)?);
        let verifier = PkceCodeVerifier::new(sent.verifier.clone());
        let (state, nonce) = (state.to_owned(), sent.nonce.clone());
        let (url, ..) = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, move || CsrfToken::new(state), move || Nonce::new(nonce))
            .add_scope(Scope::new("email".into()))
            .add_scope(Scope::new("profile".into()))
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url.into())
    }

    /// Exchanges the code that the person brought back, and checks what the provider says.
    pub(crate) async fn exchange(&self, code: &str, sent: &Sent, now: Ts) -> Result<Told> {
        let provider = self.provider;
        let secret = provider.client_secret.clone().map(ClientSecret::new);
        let client = CoreClient::from_provider_metadata(self.metadata.clone(), ClientId::new(provider.client_id.clone()), secret)
            .set_redirect_uri(redirect(self.stoa, provider)?);
        let answer = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| failed(provider, "a provider has no token endpoint", &error))?
            .set_pkce_verifier(PkceCodeVerifier::new(sent.verifier.clone()))
            .request_async(&send)
            .await
            .map_err(|error| failed(provider, "a provider refused a code", &crate::error::chain(&error)))?;
        let token = answer.id_token().ok_or_else(|| failed(provider, "a provider sent no id token", &"no id_token"))?;
        let instant = UNIX_EPOCH + Duration::from_micros(u64::try_from(now.micros()).unwrap_or(0));
        let verifier = client.id_token_verifier().set_time_fn(move || instant.into());
        let claims = token
            .claims(&verifier, &Nonce::new(sent.nonce.clone()))
            .map_err(|error| failed(provider, "an id token did not pass the checks", &crate::error::chain(&error)))?;
        if let Some(expected) = claims.access_token_hash() {
            let algorithm = token.signing_alg().map_err(|error| failed(provider, "an id token names no algorithm", &error))?;
            let key = token.signing_key(&verifier).map_err(|error| failed(provider, "an id token's key is unknown", &error))?;
            let actual = AccessTokenHash::from_token(answer.access_token(), algorithm, key)
                .map_err(|error| failed(provider, "an access token can't be hashed", &error))?;
            if actual != *expected {
                return Err(failed(provider, "an access token is not the id token's", &"at_hash"));
            }
        }
        let verified = claims.email_verified() == Some(true);
        let email = claims.email().filter(|_| verified).and_then(|email| text::email(email).ok());
        let name = claims.name().and_then(|name| name.get(None)).map(|name| name.to_string());
        Ok(Told { issuer: provider.issuer.clone(), subject: claims.subject().to_string(), verified_email: email, name })
    }
}

/// The provider of a handle.
///
/// # Errors
/// 404.
pub fn find<'a>(stoa: &'a Stoa, handle: &str) -> Result<&'a Provider> {
    stoa.providers.iter().find(|provider| provider.handle == handle).ok_or(Error::NotFound("provider"))
}
