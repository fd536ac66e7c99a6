//! Rows as store tests put them in by hand, with ids and times that follow from small numbers.

use stoa_domain::{
    ids::{Id, OrganizationId},
    members::Member,
    organizations::{Details, Organization},
    permissions::Role,
    time::{DAY, Ts},
    users::User,
};
use stoa_store::{StoreError, Tx, members, organizations, users};

/// An instant, so many days after one in September 2026.
pub fn at(day: i64) -> Ts {
    Ts::from_micros(1_790_000_000_000_000 + day * DAY)
}

/// The id with a number.
pub fn id<I: Id>(number: u8) -> I {
    I::mint(at(0), [number; 10])
}

/// Adds the organization with a number, and people with theirs as its members.
///
/// # Errors
/// Those of the database.
pub async fn company(tx: &mut Tx, number: u8, (handle, name): (&str, &str), people: &[(u8, Role)]) -> Result<OrganizationId, StoreError> {
    let organization = Organization {
        id: id(number),
        handle: handle.to_owned(),
        name: name.to_owned(),
        description: String::new(),
        details: Details::default(),
        created_at: at(0),
        updated_at: at(0),
        suspension: None,
    };
    organizations::insert(tx, &organization).await?;
    for (number, role) in people {
        let user = User {
            id: id(*number),
            email: format!("person{number}@grid.example"),
            name: format!("Person {number}"),
            operator: false,
            created_at: at(0),
            suspended: false,
        };
        users::insert(tx, &user, None).await?;
        members::insert(tx, organization.id, &[Member::new(&user, *role, at(0))]).await?;
    }
    Ok(organization.id)
}
