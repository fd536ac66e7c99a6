//! Another address for one's account: confirmed from the new one, and taken back from the old one.

use stoa_domain::{
    links::Purpose,
    mail::Mail,
    text::{self, Faults},
    users::User,
};
use stoa_store::{StoreError, links as rows, users};

use super::links;
use crate::{Act, Error, Result, mail};

/// Asks for another address: the new one gets a link that confirms it, the old one a link that stops or undoes it. An address
/// that has an account is told so, and nobody else is.
///
/// # Errors
/// 401, 422.
pub async fn ask(act: &mut Act, email: &str) -> Result<()> {
    let me = act.caller.whole_person()?.clone();
    let mut faults = Faults::new();
    let email = faults.check("/email", text::email(email)).unwrap_or_default();
    if email == me.email {
        faults.add("/email", "this is the address of your account already");
    }
    faults.or(Some(()))?;
    let taken = users::find_by_email(&mut act.tx, &email).await?.is_some();
    rows::delete_of(&mut act.tx, me.id, Some(Purpose::ConfirmAddress)).await?;
    let confirm = links::make(act, Purpose::ConfirmAddress, &email, (!taken).then_some(me.id)).await?;
    let undo = links::make(act, Purpose::UndoAddress, &me.email, Some(me.id)).await?;
    let from = me.email.clone();
    let new = if taken { Mail::AddressTaken { from } } else { Mail::ConfirmAddress { from, link: confirm } };
    mail::send(act, &email, new).await?;
    mail::send(act, &me.email, Mail::AddressChangeAsked { to: email, link: undo }).await
}

/// Gives the account of a link its new address.
///
/// # Errors
/// `link_not_valid` (422); `email_taken` (409) when somebody made an account with it meanwhile.
pub async fn confirm(act: &mut Act, token: &str) -> Result<User> {
    let (link, user) = links::take_of(act, token, Purpose::ConfirmAddress).await?;
    let changed = set(act, &user, &link.email).await?;
    let undo = links::make(act, Purpose::UndoAddress, &user.email, Some(user.id)).await?;
    mail::send(act, &user.email, Mail::AddressChanged { to: changed.email.clone(), link: undo }).await?;
    super::address_verified(act, &changed).await?;
    Ok(changed)
}

/// Takes a change of address back, whether it was confirmed or not. Whoever asked for it had a way in, or made one: so none of
/// them counts any more, neither password nor second factor, passkey, token, session or link. The address alone opens the
/// account, through a link that is sent there.
///
/// # Errors
/// `link_not_valid` (422); `email_taken` (409) when somebody made an account with the old address meanwhile.
pub async fn undo(act: &mut Act, token: &str) -> Result<User> {
    let (link, user) = links::take_of(act, token, Purpose::UndoAddress).await?;
    let restored = if user.email == link.email { user } else { set(act, &user, &link.email).await? };
    users::set_password(&mut act.tx, restored.id, None).await?;
    super::delete::ways_in(act, restored.id).await?;
    let new = links::make(act, Purpose::SetPassword, &restored.email, Some(restored.id)).await?;
    mail::send(act, &restored.email, Mail::ResetPassword { link: new }).await?;
    super::address_verified(act, &restored).await?;
    Ok(restored)
}

async fn set(act: &mut Act, user: &User, email: &str) -> Result<User> {
    match users::set_email(&mut act.tx, user.id, email).await {
        Ok(()) => {}
        Err(StoreError::Duplicate { .. }) => return Err(Error::conflict("email_taken", format!("{email} has an account of its own"))),
        Err(other) => return Err(other.into()),
    }
    // What was sent to the old address to set a password is not for the new one.
    rows::delete_of(&mut act.tx, user.id, Some(Purpose::SetPassword)).await?;
    Ok(User { email: email.to_owned(), ..user.clone() })
}
