//! The mail domains of organizations: claiming one, verifying it by a mailed code, and letting its people join.

use serde_json::json;
use stoa_domain::{
    domains::{CODE_COUNTS, MOST_DOMAINS, code, code_counts, code_hash, contact, domain, of_address},
    events::{EventKind, Subject},
    ids::OrganizationId,
    limits::Letter,
    mail::Mail,
    members::Member,
    organizations::Key,
    permissions::{Permission, Role},
    text::Faults,
    users::User,
};
use stoa_store::{Conn, StoreError, domains, events, members, organizations};
use subtle::ConstantTimeEq;

pub use stoa_store::domains::Domain;

use crate::{Act, Caller, Error, Result, limits, mail, seats, seats::Seat};

/// A domain to claim.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewDomain {
    /// The domain.
    pub domain: String,
    /// As what its people join.
    pub role: String,
    /// To which role address of it the code is sent, such as `postmaster`.
    pub contact: String,
}

/// The domains of an organization, by name.
///
/// # Errors
/// 401, 404.
pub async fn list(conn: &mut Conn, caller: &Caller, key: &Key<OrganizationId>) -> Result<(Seat, Vec<Domain>)> {
    let seat = seats::allowed(conn, caller, key, Permission::View).await?;
    let domains = domains::list(conn, seat.organization.id).await?;
    Ok((seat, domains))
}

/// Claims a domain, or sends the code of a claim anew: whoever reads the mail of the role address verifies it.
///
/// # Errors
/// 401, 404, 403, 422; `domain_taken`, `domain_verified`, `too_many_domains` (409); [`Error::TooMany`].
pub async fn claim(act: &mut Act, key: &Key<OrganizationId>, new: &NewDomain) -> Result<Domain> {
    let seat = seats::locked(act, key, Permission::ManageMembers).await?;
    let organization = seat.organization.id;
    let mut faults = Faults::new();
    let name = faults.check("/domain", domain(&new.domain));
    let role = faults.check("/role", new.role.parse::<Role>());
    let contact = faults.check("/contact", contact(&new.contact, name.as_deref().unwrap_or_default()));
    let ((name, role), contact) = faults.or(name.zip(role).zip(contact))?;
    let known = domains::list(&mut act.tx, organization).await?;
    let before = known.iter().find(|one| one.domain == name);
    if before.is_some_and(|one| one.verified_at.is_some()) {
        return Err(Error::conflict("domain_verified", format!("{name} is verified already")));
    }
    if before.is_none() && known.len() >= MOST_DOMAINS {
        return Err(Error::conflict("too_many_domains", format!("an organization has at most {MOST_DOMAINS} domains")));
    }
    if domains::owner(&mut act.tx, &name).await?.is_some() {
        return Err(taken(&name));
    }
    let mut random = [0; 8];
    act.stoa().entropy.fill(&mut random);
    let code = code(random);
    let now = act.now();
    let one = Domain {
        organization,
        code_hash: Some(code_hash(&name, &code)),
        code_expires_at: Some(now.plus(CODE_COUNTS)),
        attempts: 0,
        added_by: act.caller.user_id()?,
        created_at: before.map_or(now, |one| one.created_at),
        verified_at: None,
        domain: name,
        role,
        contact,
    };
    domains::save(&mut act.tx, &one).await?;
    let by = act.caller.person()?.name.clone();
    let letter = Mail::DomainCode { organization: seat.organization.name.clone(), domain: one.domain.clone(), code, by };
    mail::send(act, &one.contact, letter).await?;
    limits::take_letters(act, Letter::DomainCode, organization, std::slice::from_ref(&one.contact)).await?;
    Ok(one)
}

fn taken(name: &str) -> Error {
    Error::conflict("domain_taken", format!("{name} belongs to another organization here; ask whoever runs this installation"))
}

/// Verifies a domain by the code that was mailed. `None` for a wrong code: it is counted, so commit either way.
///
/// # Errors
/// 401, 404, 403; `domain_verified`, `code_over`, `domain_taken` (409).
pub async fn verify(act: &mut Act, key: &Key<OrganizationId>, name: &str, typed: &str) -> Result<Option<Domain>> {
    let organization = seats::locked(act, key, Permission::ManageMembers).await?.organization.id;
    let mut one = domains::find(&mut act.tx, organization, name).await?.ok_or(Error::NotFound("domain"))?;
    if one.verified_at.is_some() {
        return Err(Error::conflict("domain_verified", format!("{name} is verified already")));
    }
    let now = act.now();
    let Some(kept) = one.code_hash.filter(|_| code_counts(one.code_expires_at, one.attempts, now)) else {
        return Err(Error::conflict("code_over", "the code is over, or too many wrong ones were typed; send a new one"));
    };
    if !bool::from(kept.ct_eq(&code_hash(name, typed))) {
        one.attempts += 1;
        domains::save(&mut act.tx, &one).await?;
        return Ok(None);
    }
    (one.code_hash, one.code_expires_at, one.verified_at) = (None, None, Some(now));
    match domains::verify(&mut act.tx, organization, name).await {
        Ok(()) => {}
        Err(StoreError::Duplicate { .. }) => return Err(taken(name)),
        Err(other) => return Err(other.into()),
    }
    domains::save(&mut act.tx, &one).await?;
    let data = json!({"domain": one.domain, "role": one.role, "contact": one.contact});
    act.record(&[organization], EventKind::DomainVerified, Subject::new("domain", &one.domain), data);
    Ok(Some(one))
}

/// Changes as what people of a domain join.
///
/// # Errors
/// 401, 404, 403, 422.
pub async fn set_role(act: &mut Act, key: &Key<OrganizationId>, name: &str, role: &str) -> Result<Domain> {
    let seat = seats::locked(act, key, Permission::ManageMembers).await?;
    let mut faults = Faults::new();
    let role = faults.check("/role", role.parse::<Role>());
    let role = faults.or(role)?;
    let mut one = domains::find(&mut act.tx, seat.organization.id, name).await?.ok_or(Error::NotFound("domain"))?;
    one.role = role;
    domains::save(&mut act.tx, &one).await?;
    Ok(one)
}

/// Gives a domain up. Who joined through it stays.
///
/// # Errors
/// 401, 404, 403.
pub async fn remove(act: &mut Act, key: &Key<OrganizationId>, name: &str) -> Result<()> {
    let organization = seats::locked(act, key, Permission::ManageMembers).await?.organization.id;
    let one = domains::find(&mut act.tx, organization, name).await?.ok_or(Error::NotFound("domain"))?;
    domains::delete(&mut act.tx, organization, name).await?;
    if one.verified_at.is_some() {
        act.record(&[organization], EventKind::DomainRemoved, Subject::new("domain", name), json!({"domain": name}));
    }
    Ok(())
}

/// Makes somebody whose address was just verified a member of the organization to which its domain belongs, unless that is
/// suspended: then nobody comes to it, by whatever way. Whoever was removed there, or left, does not come back by the domain: only
/// those who manage the members bring them back.
pub(crate) async fn join(act: &mut Act, user: &User) -> Result<()> {
    let Some(name) = of_address(&user.email) else { return Ok(()) };
    let Some(one) = domains::owner(&mut act.tx, name).await? else { return Ok(()) };
    if organizations::lock(&mut act.tx, &[one.organization]).await?.is_empty() {
        return Ok(());
    }
    // Read again under the lock: it may have been given up meanwhile.
    let Some(one) = domains::owner(&mut act.tx, name).await? else { return Ok(()) };
    if members::find(&mut act.tx, one.organization, user.id).await?.is_some() {
        return Ok(());
    }
    if events::has(&mut act.tx, one.organization, EventKind::MemberRemoved, &user.id.to_string()).await? {
        return Ok(());
    }
    let member = Member::new(user, one.role, act.now());
    crate::members::admit(act, one.organization, &[member]).await?;
    let data = json!({"role": one.role, "domain": one.domain});
    act.record(&[one.organization], EventKind::MemberAdded, Subject::new("user", user.id), data);
    Ok(())
}
