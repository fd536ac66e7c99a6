//! What a log says of who may use what, by itself: the other account of what the map tells.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stoa_domain::time::Ts;
use stoa_testkit::Person;

/// What holds up a subscription that is an alias of others by a change of level, so that it is not on the map.
const ALIAS: &str = "level_change";

/// A subscription as the log tells of it.
#[derive(Default)]
struct Replayed {
    projects: BTreeMap<String, Option<Ts>>,
    paused_by: BTreeSet<String>,
    ends_at: Option<Ts>,
}

impl Replayed {
    fn is_over(&self, at: Ts) -> bool {
        self.ends_at.is_some_and(|end| end <= at)
    }

    fn opens(&self, project: &str, at: Ts) -> bool {
        !self.is_over(at) && self.projects.get(project).is_some_and(|end| end.is_none_or(|end| end > at))
    }
}

type All = BTreeMap<String, Replayed>;

fn time(value: &Value) -> Option<Ts> {
    value.as_str().map(|text| text.parse::<Ts>().unwrap())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// What the log says was open at an instant: subscription, project and state.
pub(crate) fn replay(log: &[Value], at: Ts) -> BTreeSet<(String, String, String)> {
    let mut all = All::new();
    for event in log.iter().filter(|event| time(&event["occurred_at"]).unwrap() <= at) {
        let (kind, data, subject) = (text(&event["type"]), &event["data"], text(&event["subject"]["id"]));
        match kind.as_str() {
            "level_change.switched" => switch(&mut all, data),
            "level_change.undone" => undo(&mut all, data, time(&event["occurred_at"]).unwrap()),
            "level_change.settled" => parts(data).for_each(|(old, _, _)| drop(all.remove(&old))),
            "subscription.ended" => drop(all.remove(&subject)),
            _ if kind.starts_with("subscription.") => change(all.entry(subject).or_default(), &kind, data),
            _ => {}
        }
    }
    let mut open = BTreeSet::new();
    for (subscription, of) in all.into_iter().filter(|(_, of)| !of.is_over(at) && !of.paused_by.contains(ALIAS)) {
        let state = match (of.paused_by.is_empty(), of.ends_at) {
            (false, _) => "suspended",
            (true, Some(_)) => "ending",
            (true, None) => "active",
        };
        let live = of.projects.into_iter().filter(|(_, end)| end.is_none_or(|end| end > at));
        open.extend(live.map(|(project, _)| (subscription.clone(), project, state.to_owned())));
    }
    open
}

fn change(of: &mut Replayed, kind: &str, data: &Value) {
    let id = |one: &Value| text(&one["id"]);
    let terms = || data["terms"].as_array().into_iter().flatten().map(|one| (id(one), time(&one["until"])));
    let end = |project: &str| terms().find(|(one, _)| one == project).and_then(|(_, until)| until);
    let projects = |key: &str| data[key].as_array().unwrap().iter().map(|one| (id(one), end(&id(one)))).collect::<Vec<_>>();
    match kind {
        "subscription.activated" => of.projects = projects("projects").into_iter().collect(),
        "subscription.projects_changed" => {
            for (gone, _) in projects("removed") {
                of.projects.remove(&gone);
            }
            of.projects.extend(projects("added"));
            of.projects.iter_mut().for_each(|(project, until)| {
                if let Some((_, new)) = terms().find(|(one, _)| one == project) {
                    *until = new;
                }
            });
        }
        "subscription.paused" => drop(of.paused_by.insert(text(&data["by"]))),
        "subscription.resumed" => drop(of.paused_by.remove(&text(&data["by"]))),
        "subscription.ending" => of.ends_at = time(&data["ends_at"]),
        "subscription.kept" => of.ends_at = None,
        _ => {}
    }
}

/// The parts of a change of level: the subscription of before, the one that follows, and the project.
fn parts(data: &Value) -> impl Iterator<Item = (String, String, String)> {
    data["parts"].as_array().unwrap().iter().map(|part| (text(&part["from"]), text(&part["to"]), text(&part["project"]["id"])))
}

/// Those that follow take over, with the ends that the grants of before had.
fn switch(all: &mut All, data: &Value) {
    for (old, new, project) in parts(data) {
        let of = all.entry(old).or_default();
        of.paused_by.insert(ALIAS.to_owned());
        let end = of.projects.get(&project).copied().flatten();
        all.entry(new).or_default().projects.entry(project).or_insert(end);
    }
}

/// Those of before go on with what is still granted, as it was changed meanwhile, and paused by whoever paused what followed.
fn undo(all: &mut All, data: &Value, at: Ts) {
    let news: BTreeSet<String> = parts(data).map(|(_, new, _)| new).collect();
    if data["was"] == "switched" {
        let mut back: BTreeMap<String, BTreeMap<String, Option<Ts>>> = BTreeMap::new();
        for (old, new, project) in parts(data) {
            let kept = back.entry(old.clone()).or_default();
            let Some(one) = all.get(&new).filter(|one| one.opens(&project, at)) else { continue };
            kept.insert(project.clone(), one.projects[&project]);
            let paused = one.paused_by.clone();
            all.entry(old).or_default().paused_by.extend(paused);
        }
        for (old, kept) in back {
            let gone: Vec<String> = parts(data)
                .filter(|(from, ..)| *from == old)
                .map(|(.., project)| project)
                .filter(|project| !kept.contains_key(project))
                .collect();
            let of = all.entry(old.clone()).or_default();
            of.paused_by.remove(ALIAS);
            of.projects.retain(|project, _| !gone.contains(project));
            of.projects.extend(kept);
        }
        for over in data["ended"].as_array().unwrap() {
            all.remove(over.as_str().unwrap());
        }
    }
    all.retain(|id, _| !news.contains(id));
}

/// What the map says was open at an instant: subscription, project and state.
pub(crate) async fn mapped(who: &Person, at: Ts) -> BTreeSet<(String, String, String)> {
    let lines = all_of(who, &format!("/api/v1/organizations/grid/grants?at={at}")).await;
    lines.iter().map(|line| (text(&line["subscription"]), text(&line["project"]["id"]), text(&line["state"]))).collect()
}

/// All pages of a list.
pub(crate) async fn all_of(who: &Person, path: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), String::new());
    let sign = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = who.get(&format!("{path}{sign}limit=200{next}")).await.expect(200);
        all.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next_cursor"].as_str() {
            Some(cursor) => next = format!("&cursor={cursor}"),
            None => return all,
        }
    }
}
