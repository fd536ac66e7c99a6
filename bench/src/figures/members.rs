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

/// The members of the large organization, and its teams.
const MANY: (usize, usize) = (10_000, 1_000);
/// The members of the small one, and its teams.
const FEW: (usize, usize) = (10, 2);

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let many = (MANY.0 / bench.plan.divide, MANY.1 / bench.plan.divide);
    let small = stage.organization("Small").await?;
    let large = stage.organization("Large").await?;
    let bulk = Bulk::open(&stage.database).await?;
    for (organization, (members, teams)) in [(&small, FEW), (&large, many)] {
        let organization: OrganizationId = organization.parse().map_err(|error| Failure::new(format!("{error}")))?;
        // The keeper is a member as well.
        bulk.members(organization, members - 1).await?;
        bulk.teams(organization, teams, members - 1).await?;
    }
    bulk.close().await?;
    let cookie = stage.session().await?;
    let load = |make: Make| Subject::Http(Load::new(stage.address, stage.pid(), CONNECTIONS, &[200], make));
    let page = |path: String| load(get(stage.address, &path, ("cookie", cookie.clone())));
    let api = |path: String| load(stage.get(&path));
    let mut lines = Vec::new();
    for (what, path) in SUBJECTS {
        let asked = |organization: &str, members: usize| {
            let path = path.replace("{org}", organization).replace("{user}", &Bulk::address(organization, members / 2));
            if path.starts_with("/api/") { api(path) } else { page(path) }
        };
        let subjects = [asked(&small, FEW.0), asked(&large, many.0), Subject::Http(bench.hello.load(CONNECTIONS))];
        let [of_few, of_many, hello] = measured(&bench.plan, subjects).await?;
        let name = stage.engine.name();
        let line = |(members, teams): (usize, usize), of, yardstick: &str, by| {
            Line::rates(name, format!("{what}, {members} members, {teams} teams, a second"), of, yardstick, by)
        };
        lines.push(line(FEW, &of_few, "hello world", &hello));
        lines.push(line(many, &of_many, "hello world", &hello));
        lines.push(line(many, &of_many, "the same of 10 members", &of_few));
    }
    Ok(lines)
}

/// What is asked of both organizations.
const SUBJECTS: [(&str, &str); 5] = [
    ("members page (HTML)", "/organizations/{org}/members"),
    ("search of a member (HTML)", "/organizations/{org}/members?q={user}"),
    ("teams page (HTML)", "/organizations/{org}/teams"),
    ("members list (API, limit 50)", "/api/v1/organizations/{org}/members?limit=50"),
    ("check of a permission with its reason (API)", "/api/v1/organizations/{org}/access/explain?user={user}&permission=manage_members"),
];
