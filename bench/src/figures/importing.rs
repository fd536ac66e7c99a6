//! `stoa import organizations` of a file as large as a real one: as new, and once more when there is nothing to change.

use serde_json::{Value, json};

use super::Bench;
use crate::{
    Failure, machine,
    report::{Line, median},
};

/// Organizations of the file, the people of each, and its teams with their places.
const ORGANIZATIONS: usize = 7;
const MEMBERS: usize = 186;
const TEAMS: usize = 69;
const PLACES: usize = 4;
/// How long it may take, in seconds.
const AIM: f64 = 10.0;

pub(super) async fn measure(bench: &mut Bench<'_>) -> Result<Vec<Line>, Failure> {
    let stage = &bench.stage;
    let file = stage.folder.path().join("organizations.json");
    let (mut new, mut again) = (Vec::new(), Vec::new());
    for round in 0..bench.plan.rounds {
        let list: Vec<Value> = (0..ORGANIZATIONS).map(|number| organization(round, number, bench.plan.divide)).collect();
        std::fs::write(&file, Value::from(list).to_string())?;
        for times in [&mut new, &mut again] {
            let began = machine::now();
            stage.told(&["import", "organizations", &file.display().to_string()], "")?;
            times.push(began.elapsed().as_secs_f64());
        }
    }
    let people = ORGANIZATIONS * MEMBERS / bench.plan.divide;
    let what =
        format!("import of {ORGANIZATIONS} organizations with {people} people and {} teams", ORGANIZATIONS * TEAMS / bench.plan.divide);
    let name = stage.engine.name();
    Ok(vec![Line::aim(name, &what, median(new), AIM, "s"), Line::aim(name, format!("{what}, once more"), median(again), AIM, "s")])
}

/// An organization of a round's own: every other team is below the one before it.
fn organization(round: usize, number: usize, divide: usize) -> Value {
    let name = format!("Imported {round} {number}");
    let person = |at: usize| format!("imported-{round}-{number}-{}", at % (MEMBERS / divide));
    let people: Vec<String> = (0..MEMBERS / divide).map(person).collect();
    let team = |at: usize| {
        let places: Vec<String> = (0..PLACES).map(|place| person(at * PLACES + place)).collect();
        let parent = (at % 2 == 1).then(|| format!("team-{}", at - 1));
        json!({"name": format!("team-{at}"), "parent": parent, "description": "Reads", "maintainers": [], "members": places})
    };
    let teams: Vec<Value> = (0..TEAMS / divide).map(team).collect();
    json!({"name": name, "description": "Imported", "maintainers": people[..2], "members": people[2..], "teams": teams})
}
