//! The map of a small organization and of a large one: as a matrix, as a list, as API, and at a past time.

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

/// The services of the large organization, and its projects; each service runs on each project.
const MANY: (usize, usize) = (200, 1_000);
/// Those of the small one.
const FEW: (usize, usize) = (2, 10);

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let many = (MANY.0 / bench.plan.divide, MANY.1 / bench.plan.divide);
    let provider = stage.service("Mapped", 1).await?;
    let small = stage.organization("Small map").await?;
    let large = stage.organization("Large map").await?;
    let bulk = Bulk::open(&stage.database).await?;
    for (organization, (services, projects)) in [(&small, FEW), (&large, many)] {
        let of = stage.subscribe(organization, &provider).await?;
        let id: OrganizationId = read(organization)?;
        bulk.map(id, read(&of.id)?, services, projects).await?;
    }
    let at = bulk.past();
    bulk.close().await?;
    let cookie = stage.session().await?;
    let load = |make: Make| Subject::Http(Load::new(stage.address, stage.pid(), CONNECTIONS, &[200], make));
    let page = |path: String| load(get(stage.address, &path, ("cookie", cookie.clone())));
    let api = |path: String| load(stage.get(&path));
    let mut lines = Vec::new();
    for (what, path) in SUBJECTS {
        let asked = |organization: &str| {
            let path = path.replace("{org}", organization).replace("{at}", &at);
            if path.starts_with("/api/") { api(path) } else { page(path) }
        };
        let subjects = [asked(&small), asked(&large), Subject::Http(bench.hello.load(CONNECTIONS))];
        let [of_few, of_many, hello] = measured(&bench.plan, subjects).await?;
        let name = stage.engine.name();
        let line = |(services, projects): (usize, usize), of, yardstick: &str, by| {
            Line::rates(name, format!("{what}, {services} services × {projects} projects, a second"), of, yardstick, by)
        };
        lines.push(line(FEW, &of_few, "hello world", &hello));
        lines.push(line(many, &of_many, "hello world", &hello));
        lines.push(line(many, &of_many, "the same of 2 × 10", &of_few));
    }
    Ok(lines)
}

/// What is asked of both organizations.
const SUBJECTS: [(&str, &str); 4] = [
    ("map as a matrix (HTML)", "/organizations/{org}/map"),
    ("map as a list (HTML)", "/organizations/{org}/map?view=list"),
    ("map (API, limit 50)", "/api/v1/organizations/{org}/grants?limit=50"),
    ("map at a past time (API, limit 50)", "/api/v1/organizations/{org}/grants?limit=50&at={at}"),
];

fn read<I: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<I, Failure> {
    text.parse().map_err(|error| Failure::new(format!("{text}: {error}")))
}
