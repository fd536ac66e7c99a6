//! The marketplace: the published services a person may see, found by words and filters.

use stoa_domain::{
    ids::ServiceId,
    marketplace::{
        Place, Search, SearchInput,
        spelling::{Answered, Correction, Reading},
    },
    organizations::Key,
};
use stoa_store::{
    Conn, Viewer,
    marketplace::{self, Fields},
};

pub use stoa_store::marketplace::{Facets, ListedService, Subscribed};

use crate::{Caller, Error, Result, Stoa, services, services::ServiceDetails};

/// A page of the marketplace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Results {
    /// What was searched for, as it was understood.
    pub search: Search,
    /// The services, one more than `limit` when there are more.
    pub services: Vec<ListedService>,
    /// How many there are by category, level and provider.
    pub facets: Facets,
    /// The words that were taken for mistyped, with what they were read as in the services of this page.
    pub corrections: Vec<Correction>,
    /// Whether something is found as it was typed, too.
    pub found_as_typed: bool,
}

/// Searches the marketplace; in four statements for words and in two without, however much is found.
///
/// # Errors
/// 401; what is wrong with the input, such as a cursor of another order.
pub async fn search(conn: &mut Conn, caller: &Caller, input: SearchInput, after: Option<&Place>, limit: i64) -> Result<Results> {
    let viewer = caller.viewer()?;
    let search = input.check()?;
    if after.is_some_and(|place| !search.continues_at(place)) {
        return Err(Error::fault("/cursor", "this cursor is of another order; begin again without it"));
    }
    let (reading, answered) = read(conn, &viewer, &search).await?;
    let services = marketplace::page(conn, &viewer, (&search, &reading, Fields::All), after, limit).await?;
    let facets = marketplace::facets(conn, &viewer, &search, &reading).await?;
    let corrections = corrections(&reading, &services);
    Ok(Results { search, services, facets, corrections, found_as_typed: answered != Answered::Not })
}

/// How a search is read, and how well it is answered as it was typed.
async fn read(conn: &mut Conn, viewer: &Viewer, search: &Search) -> Result<(Reading, Answered)> {
    if search.words.is_empty() {
        return Ok((Reading::default(), Answered::Named));
    }
    let near = marketplace::near(conn, &search.words).await?;
    let answered = marketplace::answered(conn, viewer, &search.words).await?;
    Ok((Reading::meant(&search.words, &near, answered), answered))
}

/// Told are only words that stand in what the caller is shown, so that nothing is learned of services that are not.
fn corrections(reading: &Reading, shown: &[ListedService]) -> Vec<Correction> {
    if !reading.is_corrected() {
        return Vec::new();
    }
    let words: Vec<_> = shown.iter().map(marketplace::words).collect();
    reading.used(&words)
}

/// The most services, providers and categories that are suggested.
const SUGGESTED: (i64, i64, i64) = (6, 3, 3);

/// What is suggested while somebody types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Suggestions {
    /// Services with the words in their names, the most relevant first.
    pub services: Vec<ListedService>,
    /// Providers by handle and name.
    pub providers: Vec<(String, String)>,
    /// Categories.
    pub categories: Vec<String>,
}

/// What somebody may mean who typed so much. Nothing for a single letter, which begins too much.
///
/// # Errors
/// 401; 422 for a text that is too long.
pub async fn suggestions(conn: &mut Conn, caller: &Caller, q: String) -> Result<Suggestions> {
    let viewer = caller.viewer()?;
    let search = SearchInput { q: Some(q), ..SearchInput::default() }.check()?;
    if search.words.concat().len() < 2 {
        return Ok(Suggestions::default());
    }
    let (reading, _) = read(conn, &viewer, &search).await?;
    Ok(Suggestions {
        services: marketplace::page(conn, &viewer, (&search, &reading, Fields::Name), None, SUGGESTED.0).await?,
        providers: marketplace::providers(conn, &viewer, &reading, SUGGESTED.1).await?,
        categories: marketplace::categories(conn, &viewer, &search.words, SUGGESTED.2).await?,
    })
}

/// How many services are indexed in one transaction.
const TOGETHER: i64 = 50;

/// Indexes the services that wait for it, such as those that were there before words were forgiven; answers how many.
///
/// # Errors
/// Those of the database; the next round does what was left.
pub async fn index_queued(stoa: &Stoa) -> Result<u64> {
    let mut indexed = 0;
    loop {
        let mut tx = stoa.db.begin().await?;
        let some = marketplace::index_queued(&mut tx, TOGETHER).await?;
        tx.commit().await?;
        indexed += some as u64;
        if some == 0 {
            return Ok(indexed);
        }
    }
}

/// A service as the marketplace shows it. Members of its provider see here what others see, and nothing where the marketplace
/// has no page; whoever subscribes a service still finds the page of one that is paused, stopped or over.
///
/// # Errors
/// 401, 404.
pub async fn get(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<ServiceDetails> {
    let seen = services::seen(conn, caller, key).await?;
    if !seen.service.state.has_page() && !seen.subscribed {
        return Err(Error::NotFound("service"));
    }
    services::details(conn, seen.service).await
}

/// A service as the marketplace would show it once it is published, for members of its provider.
///
/// # Errors
/// 401, 404.
pub async fn preview(conn: &mut Conn, caller: &Caller, key: &Key<ServiceId>) -> Result<ServiceDetails> {
    let seen = services::seen(conn, caller, key).await?;
    if seen.role.is_none() {
        return Err(Error::NotFound("service"));
    }
    services::details(conn, seen.service).await
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
