//! The members of small and of large organizations, as a page and over the API.

use stoa_domain::ids::OrganizationId;

use super::Bench;
use crate::{
    Failure,
    bulk::Bulk,
    load::{Load, Make, get},
    report::{Line, Subject, measure as measured},
};

/// Connections of the load.
const CONNECTIONS: usize = 4;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let (few, many) = (10, 10_000 / bench.plan.divide);
    let small = stage.organization("Small").await?;
    let large = stage.organization("Large").await?;
    let bulk = Bulk::open(&stage.database).await?;
    for (organization, count) in [(&small, few), (&large, many)] {
        let organization: OrganizationId = organization.parse().map_err(|error| Failure::new(format!("{error}")))?;
        // The keeper is a member as well.
        bulk.members(organization, count - 1).await?;
    }
    bulk.close().await?;
    let cookie = stage.session().await?;
    let load = |make: Make| Subject::Http(Load::new(stage.address, stage.pid(), CONNECTIONS, &[200], make));
    let page = |organization: &str| load(get(stage.address, &format!("/organizations/{organization}/members"), ("cookie", cookie.clone())));
    let list = |organization: &str| load(stage.get(&format!("/api/v1/organizations/{organization}/members?limit=50")));
    let subjects = [page(&small), page(&large), list(&small), list(&large), Subject::Http(bench.hello.load(CONNECTIONS))];
    let [page_few, page_many, list_few, list_many, hello] = measured(&bench.plan, subjects).await?;
    let line = |what: String, of, yardstick: &str, by| Line::rates(stage.engine.name(), what, of, yardstick, by);
    Ok(vec![
        line(format!("members page (HTML), {few} members, a second"), &page_few, "hello world", &hello),
        line(format!("members page (HTML), {many} members, a second"), &page_many, "hello world", &hello),
        line(format!("members page (HTML), {many} members, a second"), &page_many, "the same of 10 members", &page_few),
        line(format!("members list (API, limit 50), {few} members, a second"), &list_few, "hello world", &hello),
        line(format!("members list (API, limit 50), {many} members, a second"), &list_many, "hello world", &hello),
        line(format!("members list (API, limit 50), {many} members, a second"), &list_many, "the same of 10 members", &list_few),
    ])
}
