//! Accounts: creating them, changing one's own, and what follows from a proved address.

pub mod address;
mod delete;
pub mod links;
pub mod password;
pub mod sign_up;

use stoa_domain::{
    text::{self, Faults},
    users::{self as rules, User},
};
use stoa_store::{Conn, StoreError, users};

pub use delete::delete;

use crate::{Act, Error, Result, Stoa, Who, domains, invitations, passwords};

/// The account to create.
#[derive(Debug, Clone, Default)]
pub struct NewUser {
    /// The address that identifies it.
    pub email: String,
    /// What the person is called; made from the address when absent.
    pub name: Option<String>,
    /// The password; without one the person can't sign in with a password.
    pub password: Option<String>,
    /// Whether the person runs the installation.
    pub operator: bool,
}

/// A checked account whose password is hashed: made before the transaction, which must not wait for the hashing.
#[derive(Debug, Clone)]
pub struct PreparedUser {
    email: String,
    name: String,
    password_hash: Option<String>,
    operator: bool,
}

/// Checks an account and hashes its password.
///
/// # Errors
/// What is wrong with the input.
pub async fn prepare(stoa: &Stoa, new: NewUser) -> Result<PreparedUser> {
    let mut faults = Faults::new();
    let email = faults.check("/email", text::email(&new.email)).unwrap_or_default();
    let name = match &new.name {
        Some(name) => faults.check("/name", rules::check_name(name)).unwrap_or_default(),
        None => rules::name_from_email(&email),
    };
    if let Some(password) = &new.password {
        faults.check("/password", rules::check_password(password));
    }
    faults.or(Some(()))?;
    let password_hash = match &new.password {
        Some(password) => Some(passwords::hash(stoa, password).await?),
        None => None,
    };
    Ok(PreparedUser { email, name, password_hash, operator: new.operator })
}

/// Creates an account.
///
/// # Errors
/// `email_taken` (409).
pub async fn create(act: &mut Act, new: PreparedUser) -> Result<User> {
    let user = User { id: act.mint(), email: new.email, name: new.name, operator: new.operator, created_at: act.now(), suspended: false };
    match users::insert(&mut act.tx, &user, new.password_hash.as_deref()).await {
        Ok(()) => Ok(user),
        Err(StoreError::Duplicate { .. }) => Err(Error::conflict("email_taken", format!("{} has an account already", user.email))),
        Err(other) => Err(other.into()),
    }
}

/// What follows when somebody has proved that the address of an account is their own, through a mail or another provider: the
/// invitations that wait for it become memberships, and the organization to which its domain belongs has a new member.
///
/// # Errors
/// Those of the database.
pub async fn address_verified(act: &mut Act, user: &User) -> Result<()> {
    let now = act.now();
    users::set_email_verified(&mut act.tx, user.id, now).await?;
    // Whoever has just proved to own the account acts from here on.
    if act.caller.who == Who::Anonymous {
        act.caller.who = Who::User(user.clone());
    }
    invitations::accept_all(act, user).await?;
    domains::join(act, user).await
}

/// The account of an address, for the operator.
///
/// # Errors
/// Those of the database.
pub async fn find_by_email(conn: &mut Conn, email: &str) -> Result<Option<User>> {
    Ok(users::find_by_email(conn, email).await?.map(|(user, _)| user))
}

/// Changes the caller's name.
///
/// # Errors
/// 401, 422.
pub async fn rename(act: &mut Act, name: &str) -> Result<User> {
    let me = act.caller.whole_person()?.clone();
    let mut faults = Faults::new();
    let name = faults.check("/name", rules::check_name(name));
    let name = faults.or(name)?;
    if name != me.name {
        users::set_name(&mut act.tx, me.id, &name).await?;
    }
    Ok(User { name, ..me })
}
