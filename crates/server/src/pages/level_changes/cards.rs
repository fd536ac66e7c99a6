//! What a change of level would come to, and what became of one, in words: for those who subscribe and those who provide.

use std::collections::BTreeSet;

use stoa_actions::level_changes::{self, Details, Outlook, OutlookPart};
use stoa_domain::{
    ids::SubscriptionId,
    level_changes::LevelChangeState,
    services::{DataPermission, Level},
    subscriptions::SubscriptionState,
};
use stoa_store::Conn;

use crate::pages::{
    Badge, Link, Pair,
    offers::plan_line,
    page::{Page, PageResult},
    times,
};

/// What a change would come to for an organization.
#[derive(Debug, Clone, Default)]
pub struct OutlookCard {
    /// A key for the page.
    pub key: String,
    /// The organization's name.
    pub organization: String,
    /// “3 subscriptions become 1”.
    pub summary: String,
    /// Costs before and after, permissions, meters.
    pub facts: Vec<Pair>,
    /// The projects.
    pub parts: Vec<PartRow>,
}

/// A project that would go along.
#[derive(Debug, Clone, Default)]
pub struct PartRow {
    /// What is sent when it is marked: the project's id.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// The plan before, and the one that follows.
    pub plan: String,
    /// “Goes along”, or why not.
    pub badge: Badge,
    /// Whether it can be marked.
    pub goes: bool,
    /// Whether it is marked.
    pub checked: bool,
}

/// A change that was accepted.
#[derive(Debug, Clone, Default)]
pub struct ChangeCard {
    /// Its id.
    pub id: String,
    /// Who subscribes.
    pub organization: String,
    /// Where it is.
    pub badge: Badge,
    /// What that means.
    pub note: String,
    /// Who accepted it when, and so on.
    pub facts: Vec<Pair>,
    /// Project, subscription before, subscription that follows; with links for those who subscribe.
    pub parts: Vec<PartLine>,
    /// Whether I may switch it now.
    pub can_switch: bool,
    /// Whether I may undo it now.
    pub can_undo: bool,
    /// Where both are sent, without the verb.
    pub url: String,
}

/// One project of a change.
#[derive(Debug, Clone, Default)]
pub struct PartLine {
    /// Its name.
    pub project: String,
    /// The subscription of before.
    pub from: Link,
    /// The one that follows.
    pub to: Link,
}

/// “organization” or “project”.
pub(super) fn level_word(level: Level) -> &'static str {
    match level {
        Level::Organization => "organization",
        Level::Project => "project",
    }
}

fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

/// An outlook in words; `marked` are the projects that were marked in the form that was sent.
pub(crate) fn outlook_card(outlook: &Outlook, marked: Option<&[String]>) -> OutlookCard {
    let before: Vec<_> = outlook.before.iter().map(|(currency, cost)| cost.shown(*currency)).collect();
    let after = outlook.after.as_ref().map(|(currency, cost)| cost.shown(*currency));
    let month = times::month_of(outlook.month.from);
    let mut facts = vec![
        Pair::new(format!("{month}, as it is"), if before.is_empty() { "–".to_owned() } else { before.join(" + ") }),
        Pair::new(format!("{month}, after it"), after.unwrap_or_else(|| "depends on the plan".to_owned())),
    ];
    facts.extend(outlook.plan.as_ref().map(|kept| Pair::new("Plan", plan_line(&kept.plan))));
    let words = |list: &[DataPermission]| list.iter().map(|one| one.word()).collect::<Vec<_>>().join(", ");
    for (label, list) in [("Permissions gained", &outlook.gained), ("Permissions lost", &outlook.lost)] {
        facts.push(Pair::new(label, if list.is_empty() { "none".to_owned() } else { words(list) }));
    }
    if !outlook.meters_lost.is_empty() {
        facts.push(Pair::new("Meters it does not have", outlook.meters_lost.join(", ")));
    }
    facts.extend(outlook.budgets.iter().map(|words| Pair::new("Budget", words.as_str())));
    let olds: BTreeSet<_> = outlook.parts.iter().filter(|part| part.goes).map(|part| part.subscription).collect();
    let summary = match (olds.len(), outlook.follow) {
        (0, _) => "Nothing active goes along".to_owned(),
        (before, after) => format!("{} become{} {after}", counted(before, "subscription"), if before == 1 { "s" } else { "" }),
    };
    OutlookCard {
        key: format!("of-{}", outlook.organization.handle),
        organization: outlook.organization.name.clone(),
        summary,
        facts,
        parts: outlook.parts.iter().map(|part| part_row(part, marked)).collect(),
    }
}

fn part_row(part: &OutlookPart, marked: Option<&[String]>) -> PartRow {
    let may = part.state == SubscriptionState::Active;
    let id = part.project.0.to_string();
    PartRow {
        project: part.project.1.clone(),
        plan: match &part.to {
            _ if !part.goes => part.from.clone(),
            to => format!("{} → {}", part.from, to.as_deref().unwrap_or("to be chosen")),
        },
        badge: if part.goes {
            Badge { tone: "ok", icon: "check", text: "Goes along".into() }
        } else if may {
            Badge { tone: "", icon: "circle-dot", text: "Not chosen".into() }
        } else {
            Badge { tone: "warn", icon: "pause", text: format!("Stays behind: {}", part.state) }
        },
        checked: may && marked.map_or(part.goes, |marked| marked.contains(&id)),
        goes: may,
        id,
    }
}

fn change_card(one: &Details, may: bool, url: &str, links: Option<&str>) -> ChangeCard {
    let change = &one.change;
    let until = times::long_day(change.until.day());
    let (badge, note) = match change.state {
        LevelChangeState::Accepted => (
            Badge { tone: "brand", icon: "clock", text: "Accepted".into() },
            format!(
                "Both ways of access work; the subscriptions of before hold the projects and are charged. It is switched on {until}, \
                 unless somebody does so before or undoes it."
            ),
        ),
        LevelChangeState::Switched => (
            Badge { tone: "ok", icon: "check", text: "Switched".into() },
            format!(
                "Both ways of access work; the subscriptions at {} level hold the projects and are charged. Either side can undo it until \
                 {until}; then it holds for good.",
                level_word(one.level)
            ),
        ),
        LevelChangeState::Undone => (
            Badge { tone: "warn", icon: "undo-2", text: "Undone".into() },
            "The subscriptions of before go on. What was taken out or paused meanwhile stayed so.".to_owned(),
        ),
        LevelChangeState::Settled => (
            Badge { tone: "", icon: "check", text: "Settled".into() },
            "The subscriptions of before are over; their ids answer as aliases.".to_owned(),
        ),
    };
    let mut facts = vec![Pair::new("Accepted", format!("{}, {}", one.accepted_by, times::moment(change.accepted_at)))];
    facts.extend(change.switched_at.map(|at| Pair::new("Switched", times::moment(at))));
    facts.extend(change.undone_at.map(|at| Pair::new("Undone", times::moment(at))));
    facts.extend(change.settled_at.map(|at| Pair::new("Settled", times::moment(at))));
    let link = |id: SubscriptionId| {
        let text = id.to_string();
        let href = links.map(|links| format!("{links}/{text}")).unwrap_or_default();
        Link::new(text, href)
    };
    ChangeCard {
        id: change.id.to_string(),
        organization: one.organization.name.clone(),
        badge,
        note,
        facts,
        parts: one.parts.iter().map(|(part, name)| PartLine { project: name.clone(), from: link(part.old), to: link(part.new) }).collect(),
        can_switch: may && change.state == LevelChangeState::Accepted,
        can_undo: may && change.state.is_open(),
        url: format!("{url}/{}", change.id),
    }
}

/// Changes in words, with what the caller may do; `url` is where that is sent, `links` where subscriptions are looked at.
pub(super) async fn change_cards(
    page: &Page,
    conn: &mut Conn,
    found: &[Details],
    url: &str,
    links: Option<&str>,
) -> PageResult<Vec<ChangeCard>> {
    let movable = level_changes::movable(conn, &page.caller, found).await?;
    Ok(found.iter().map(|one| change_card(one, movable.contains(&one.change.id), url, links)).collect())
}
