//! Passkeys (WebAuthn): making, listing and removing them, and proving oneself with one. What the two sides must agree on
//! between request and answer stays here, as a ceremony.

use stoa_domain::{
    ids::{Id, PasskeyId, UserId},
    secrets::Secret,
    text::{self, Faults},
};
use stoa_store::{StoreError, passkeys, passkeys::PasskeyRow};
use url::{Host, Url};
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
    Webauthn, WebauthnBuilder, WebauthnError,
};

use crate::{
    Act, Caller, Error, Result, Stoa,
    ceremonies::{self, Kind},
    second_factors,
};
use stoa_store::Conn;

/// The most passkeys of one person.
pub const MOST: usize = 20;

/// What a browser is asked to do, as it takes it, and by which it comes back.
#[derive(Debug, Clone)]
pub struct Asked {
    /// By which it is resumed.
    pub ceremony: Secret,
    /// The options of `navigator.credentials`, as JSON.
    pub options: serde_json::Value,
}

/// Whether browsers make passkeys for this address: they do for names over https, and for localhost, never for a bare IP
/// address.
pub fn are_possible(public_url: &str) -> bool {
    let Ok(url) = Url::parse(public_url) else { return false };
    match url.host() {
        Some(Host::Domain(name)) => url.scheme() == "https" || name == "localhost" || name.ends_with(".localhost"),
        _ => false,
    }
}

fn relying_party(stoa: &Stoa) -> Result<Webauthn> {
    let impossible = || {
        let detail = "passkeys need an installation that is reached by a name over https; ask whoever runs it";
        Error::conflict("passkeys_impossible", detail)
    };
    if !are_possible(&stoa.public_url) {
        return Err(impossible());
    }
    let origin = Url::parse(&stoa.public_url).map_err(|_| impossible())?;
    let id = origin.host_str().ok_or_else(impossible)?.to_owned();
    WebauthnBuilder::new(&id, &origin).and_then(|builder| builder.rp_name("Stoa").build()).map_err(|_| impossible())
}

fn refused(error: &WebauthnError) -> Error {
    tracing::info!(%error, "a passkey was refused");
    Error::Unfit { code: "passkey_refused", detail: "the passkey was not accepted; try again, or use another way".into() }
}

fn unreadable<T>(_: T) -> Error {
    Error::Unfit { code: "passkey_refused", detail: "the browser's answer can't be read; try again".into() }
}

fn json<T: serde::Serialize>(value: &T) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(|_| Error::Sealing)
}

fn keys(rows: &[PasskeyRow]) -> Vec<Passkey> {
    rows.iter().filter_map(|row| serde_json::from_str(&row.credential).ok()).collect()
}

/// The caller's passkeys, oldest first.
///
/// # Errors
/// 401.
pub async fn list(conn: &mut Conn, caller: &Caller) -> Result<Vec<PasskeyRow>> {
    Ok(passkeys::list(conn, caller.user_id()?).await?)
}

/// Begins to make a passkey.
///
/// # Errors
/// 401; `passkeys_impossible`, `too_many_passkeys` (409).
pub async fn begin_making(act: &mut Act) -> Result<Asked> {
    let user = act.caller.whole_person()?.clone();
    let known = passkeys::list(&mut act.tx, user.id).await?;
    if known.len() >= MOST {
        return Err(Error::conflict("too_many_passkeys", format!("you have {MOST} passkeys; remove one that you do not use first")));
    }
    let known = keys(&known).iter().map(|key| key.cred_id().clone()).collect();
    let (options, state) = relying_party(act.stoa())?
        .start_passkey_registration(user.id.uuid(), &user.email, &user.name, Some(known))
        .map_err(|error| refused(&error))?;
    let mut options = json(&options)?;
    // So that it signs in without the address being typed.
    if let Some(selection) = options.pointer_mut("/publicKey/authenticatorSelection").and_then(serde_json::Value::as_object_mut) {
        selection.insert("residentKey".into(), "required".into());
        selection.insert("requireResidentKey".into(), true.into());
    }
    let ceremony = ceremonies::begin(act, Kind::PasskeyMade, Some(user.id), &state).await?;
    Ok(Asked { ceremony, options })
}

/// Keeps the passkey that a browser made. Answers new recovery codes, shown this once, with the first second factor.
///
/// # Errors
/// 401; `begin_again`, `passkey_refused` (422), a name that does not fit (422); `passkey_known` (409).
pub async fn finish_making(act: &mut Act, ceremony: &Secret, answer: &str, name: &str) -> Result<Vec<String>> {
    let user = act.caller.whole_person()?.id;
    let mut faults = Faults::new();
    let name = faults.check("/name", text::line(name, 60));
    let name = faults.or(name)?;
    let begun = ceremonies::resume::<PasskeyRegistration>(act, Kind::PasskeyMade, ceremony).await?;
    if begun.user != Some(user) {
        return Err(Error::NotFound("passkey"));
    }
    ceremonies::end(act, ceremony).await?;
    let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(unreadable)?;
    let made = relying_party(act.stoa())?.finish_passkey_registration(&answer, &begun.state).map_err(|error| refused(&error))?;
    let row = PasskeyRow {
        id: act.mint(),
        user,
        name,
        credential_id: made.cred_id().to_vec(),
        credential: serde_json::to_string(&made).map_err(|_| Error::Sealing)?,
        created_at: act.now(),
        last_used_at: None,
    };
    match passkeys::insert(&mut act.tx, &row).await {
        Ok(()) => {}
        Err(StoreError::Duplicate { .. }) => return Err(Error::conflict("passkey_known", "this passkey is registered already")),
        Err(other) => return Err(other.into()),
    }
    second_factors::first_recovery_codes(act, user).await
}

/// Removes one of the caller's passkeys. Without any second factor left, the recovery codes go too.
///
/// # Errors
/// 401, 404.
pub async fn remove(act: &mut Act, id: PasskeyId) -> Result<()> {
    let user = act.caller.whole_person()?.id;
    if !passkeys::delete(&mut act.tx, user, id).await? {
        return Err(Error::NotFound("passkey"));
    }
    second_factors::forget_codes_of_nothing(&mut act.tx, act.caller.now, user).await
}

/// What a passkey was asked for.
#[derive(serde::Serialize, serde::Deserialize)]
enum Question {
    /// By whoever has one.
    Anybody(DiscoverableAuthentication),
    /// By a person who is known.
    Somebody(PasskeyAuthentication),
}

/// Asks for a passkey: of `user`, or of whoever has one.
///
/// # Errors
/// `passkeys_impossible`, `no_passkey` (409).
pub async fn ask(act: &mut Act, user: Option<UserId>) -> Result<Asked> {
    let party = relying_party(act.stoa())?;
    let (mut options, question) = match user {
        None => {
            let (options, state) = party.start_discoverable_authentication().map_err(|error| refused(&error))?;
            (json(&options)?, Question::Anybody(state))
        }
        Some(user) => {
            let known = keys(&passkeys::list(&mut act.tx, user).await?);
            if known.is_empty() {
                return Err(Error::conflict("no_passkey", "you have no passkey; use another way"));
            }
            let (options, state) = party.start_passkey_authentication(&known).map_err(|error| refused(&error))?;
            (json(&options)?, Question::Somebody(state))
        }
    };
    // The person presses a button for it; the browser is not to wait for a field.
    if let Some(options) = options.as_object_mut() {
        options.remove("mediation");
    }
    let ceremony = ceremonies::begin(act, Kind::PasskeyAsked, user, &question).await?;
    Ok(Asked { ceremony, options })
}

/// Whose passkey it is that answered. The question counts once.
///
/// # Errors
/// `begin_again`, `passkey_refused` (422).
pub async fn answered(act: &mut Act, ceremony: &Secret, answer: &str) -> Result<UserId> {
    let asked = ceremonies::resume::<Question>(act, Kind::PasskeyAsked, ceremony).await?;
    ceremonies::end(act, ceremony).await?;
    let answer: PublicKeyCredential = serde_json::from_str(answer).map_err(unreadable)?;
    let nobody = || Error::Unfit { code: "passkey_refused", detail: "this passkey is not known here any more; use another way".into() };
    let row = passkeys::find_by_credential(&mut act.tx, answer.get_credential_id()).await?.ok_or_else(nobody)?;
    let mut key: Passkey = serde_json::from_str(&row.credential).map_err(|_| Error::Sealing)?;
    let party = relying_party(act.stoa())?;
    let result = match asked.state {
        Question::Anybody(state) => {
            let (claimed, _) = party.identify_discoverable_authentication(&answer).map_err(|error| refused(&error))?;
            if claimed != row.user.uuid() {
                return Err(nobody());
            }
            party.finish_discoverable_authentication_v2(&answer, state, &key)
        }
        Question::Somebody(state) => {
            if asked.user != Some(row.user) {
                return Err(nobody());
            }
            party.finish_passkey_authentication(&answer, &state)
        }
    };
    let result = result.map_err(|error| refused(&error))?;
    key.update_credential(&result);
    let credential = serde_json::to_string(&key).map_err(|_| Error::Sealing)?;
    let now = act.now();
    passkeys::set_used(&mut act.tx, row.user, row.id, &credential, now).await?;
    Ok(row.user)
}
