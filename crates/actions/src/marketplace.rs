//! The marketplace: the published services a person may see, found by words and filters.

use stoa_domain::{
    ids::ServiceId,
    marketplace::{Place, Search, SearchInput},
    organizations::Key,
};
use stoa_store::{Conn, marketplace};

pub use stoa_store::marketplace::{Facets, ListedService, Subscribed};

use crate::{Caller, Error, Result, services, services::ServiceDetails};

/// A page of the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// What was searched for, as it was understood.
    pub search: Search,
    /// The services, one more than `limit` when there are more.
    pub services: Vec<ListedService>,
    /// How many there are by category, level and provider.
    pub facets: Facets,
}

/// Searches the marketplace; in four statements, however much is found.
///
/// # Errors
/// 401; what is wrong with the input, such as a cursor of another order.
pub async fn search(conn: &mut Conn, caller: &Caller, input: SearchInput, after: Option<&Place>, limit: i64) -> Result<Results> {
    let viewer = caller.viewer()?;
    let search = input.check()?;
    if after.is_some_and(|place| !search.continues_at(place)) {
        return Err(Error::fault("/cursor", "this cursor is of another order; begin again without it"));
    }
    let services = marketplace::page(conn, &viewer, &search, after, limit).await?;
    let facets = marketplace::facets(conn, &viewer, &search).await?;
    Ok(Results { search, services, facets })
}

/// A service as the marketplace shows it; 404 unless it is listed for the caller.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<ServiceDetails> {
    let service = services::visible(conn, caller, key).await?;
    if !service.state.listed() {
        return Err(Error::NotFound("service"));
    }
    services::details(conn, service).await
}

/// The most subscriptions of the caller that a service's page names.
const MOST_SUBSCRIBED: i64 = 20;

/// The live subscriptions of a service by the caller's organizations.
///
/// # Errors
/// 401.
pub async fn subscribed(conn: &mut Conn, caller: &Caller, service: ServiceId) -> Result<Vec<Subscribed>> {
    Ok(marketplace::subscribed(conn, &caller.viewer()?, service, MOST_SUBSCRIBED).await?)
}
