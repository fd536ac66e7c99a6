//! Accounts: creating them (by the operator), and reading one's own.

use stoa_domain::{
    text::{self, Faults},
    users::{self as rules, User},
};
use stoa_store::{StoreError, users};

use crate::{Act, Error, Result, passwords};

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

/// Creates an account.
///
/// # Errors
/// What is wrong with the input; `email_taken` (409).
pub async fn create(act: &mut Act, new: NewUser) -> Result<User> {
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
    let hash = match &new.password {
        Some(password) => Some(passwords::hash(&act.stoa().clone(), password).await?),
        None => None,
    };
    let user = User { id: act.mint(), email, name, operator: new.operator, created_at: act.now() };
    match users::insert(&mut act.tx, &user, hash.as_deref()).await {
        Ok(()) => Ok(user),
        Err(StoreError::Duplicate { .. }) => Err(Error::conflict("email_taken", format!("{} has an account already", user.email))),
        Err(other) => Err(other.into()),
    }
}
