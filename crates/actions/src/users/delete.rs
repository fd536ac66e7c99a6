//! Deleting one's account.

use stoa_domain::{ids::UserId, mail::Mail, members::keep_a_maintainer, operators::keep_an_operator};
use stoa_store::{
    applications as application_rows, ceremonies, identities, links, mail as mails, members as member_rows, organizations, passkeys,
    second_factors, sessions, tokens, users,
};

use crate::{Act, Error, Result, applications, mail, members};

/// Deletes the caller's account: memberships, sessions, tokens and own applications end, and what is personal is erased. The logs
/// keep the account's id.
///
/// # Errors
/// 401; `not_confirmed` (422) unless `confirm` is the account's address; `last_maintainer` (409), naming the organizations
/// that would be left without one; `last_operator` (409) for the only one who runs the installation; `in_use` (409) while a
/// service stands on one of the caller's applications.
pub async fn delete(act: &mut Act, confirm: &str) -> Result<()> {
    let me = act.caller.whole_person()?.clone();
    if confirm.trim().to_lowercase() != me.email {
        let detail = format!("to delete your account, confirm with its address: {}", me.email);
        return Err(Error::Unfit { code: "not_confirmed", detail });
    }
    leave_all(act).await?;
    for application in application_rows::own(&mut act.tx, me.id).await? {
        applications::delete(act, application).await?;
    }
    ways_in(act, me.id).await?;
    mails::delete_about(&mut act.tx, &me.email).await?;
    users::erase(&mut act.tx, me.id, act.caller.now).await?;
    let at = act.now();
    mail::send(act, &me.email, Mail::AccountDeleted { at }).await
}

/// Ends every way into an account but its password: sessions, tokens, second factors, passkeys, other providers, links.
pub(super) async fn ways_in(act: &mut Act, user: UserId) -> Result<()> {
    let now = act.now();
    sessions::delete_of(&mut act.tx, user).await?;
    tokens::delete_personal_of(&mut act.tx, user).await?;
    second_factors::delete_totp(&mut act.tx, user).await?;
    second_factors::replace_recovery_codes(&mut act.tx, user, &[], now).await?;
    passkeys::delete_of(&mut act.tx, user).await?;
    identities::delete_of(&mut act.tx, user).await?;
    ceremonies::delete_of(&mut act.tx, user).await?;
    links::delete_of(&mut act.tx, user, None).await?;
    Ok(())
}

/// Ends all memberships of the caller, unless one of the organizations would lose its last maintainer, or the installation its
/// last operator. The organizations are locked first, so that two of their maintainers who go at the same moment see each
/// other; then the operators, for the same reason; then the account, so that nobody adds it to another organization meanwhile.
///
/// A suspended organization keeps a maintainer too: its suspension may be lifted. A deleted one may lose its last; whoever
/// restores it then names another.
async fn leave_all(act: &mut Act) -> Result<()> {
    let me = act.caller.user_id()?;
    let mine: Vec<_> = member_rows::of_user(&mut act.tx, me).await?.into_iter().map(|(organization, _)| organization).collect();
    let there = organizations::lock_there(&mut act.tx, &mine).await?;
    let operators = users::lock_operators(&mut act.tx).await?;
    keep_an_operator(&operators, me)?;
    users::lock(&mut act.tx, me).await?.ok_or(Error::NotFound("account"))?;
    let seats = member_rows::of_user(&mut act.tx, me).await?;
    if seats.iter().any(|(organization, _)| !mine.contains(organization)) {
        return Err(Error::conflict("try_again", "you were just added to an organization; try again"));
    }
    let mut bereft = Vec::new();
    for (organization, member) in seats.iter().filter(|(organization, _)| there.contains(organization)) {
        let maintainers = member_rows::count_maintainers(&mut act.tx, *organization).await?;
        if keep_a_maintainer(maintainers, member.role, None).is_err() {
            bereft.push(*organization);
        }
    }
    if !bereft.is_empty() {
        let named = organizations::names(&mut act.tx, &bereft).await?;
        let names: Vec<_> = named.into_iter().map(|one| one.name).collect();
        let detail = format!(
            "you are the only maintainer of {}; make somebody else a maintainer there, or delete what nobody needs",
            names.join(", ")
        );
        return Err(Error::conflict("last_maintainer", detail));
    }
    for (organization, member) in &seats {
        members::end(act, *organization, member, true).await?;
    }
    Ok(())
}
