//! Random moves of all actors at once, on requests and subscriptions of every kind: whatever they do, no subscription reaches
//! a state it should not, no grant is live without a subscription in force, nobody decides their own request, and the map at
//! any past instant is the log replayed to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::{DAY, HOUR, Ts};
use stoa_testkit::{Answer, Person, TestApp, api_tests};

use crate::{
    dice::Dice,
    replay::{all_of, mapped, replay},
    trade::{Trade, id},
};

const SUBSCRIPTIONS: &str = "/api/v1/organizations/grid/subscriptions";

/// The states that can follow one another, several at once where the time goes on.
const NEXT: [(&str, &[&str]); 5] = [
    ("requested", &["provisioning", "active", "rejected", "withdrawn", "expired"]),
    ("provisioning", &["active", "withdrawn", "failed"]),
    ("active", &["suspended", "ending", "ended"]),
    ("suspended", &["active", "ending", "ended"]),
    ("ending", &["active", "suspended", "ended"]),
];

fn follows(from: &str, to: &str) -> bool {
    let mut reached = BTreeSet::from([from]);
    loop {
        let more: BTreeSet<&str> =
            NEXT.iter().filter(|(state, _)| reached.contains(state)).flat_map(|(_, next)| next.iter().copied()).collect();
        let before = reached.len();
        reached.extend(more);
        if reached.len() == before {
            return reached.contains(to);
        }
    }
}

/// The handles of the projects that Grid has.
async fn handles(trade: &Trade) -> Vec<String> {
    let all = all_of(&trade.vic, "/api/v1/organizations/grid/projects").await;
    all.iter().map(|project| project["handle"].as_str().unwrap().to_owned()).collect()
}

struct World<'a> {
    app: &'a TestApp,
    trade: Trade,
    /// At organization level: for everybody, by request, and set up first.
    services: Vec<String>,
    /// The projects there are, by handle.
    projects: Vec<String>,
    /// At project level, until its contract goes to the other level.
    local: String,
    /// The states in which the subscriptions were seen last.
    seen: BTreeMap<String, String>,
    /// What was tried, and how often it was done or refused for which reason.
    done: BTreeMap<String, usize>,
}

impl<'a> World<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let trade = Trade::new(app).await;
        Self { app, trade, services: Vec::new(), projects: Vec::new(), local: String::new(), seen: BTreeMap::new(), done: BTreeMap::new() }
    }

    /// Lets new services take the place of those before; what is subscribed stays.
    async fn renew(&mut self, round: u64) {
        let trade = &self.trade;
        let name = |what: &str| format!("{what} {round}");
        let (open, asked, made) = (
            trade.service(&name("Open"), "public").await,
            trade.service(&name("Asked"), "on_request").await,
            trade.service(&name("Made"), "public").await,
        );
        trade.pia.put(&format!("/api/v1/services/{made}/setup"), json!({"setup": true})).await.expect(200);
        self.local = trade.draft(&name("Local"), "public", "project", &["Basic"]).await;
        trade.pia.post(&format!("/api/v1/services/{}/publish", self.local), json!({})).await.expect(200);
        trade.mia.put("/api/v1/organizations/grid/policy", json!({"rules": []})).await.expect(200);
        for (number, what) in ["Roof", "Field", "Yard"].into_iter().enumerate() {
            if self.projects.len() + number < 4 {
                trade.project(&name(what)).await;
            }
        }
        self.projects = handles(trade).await;
        // Some projects may be locked, and a rule may make it wait.
        for project in &self.projects {
            let body = json!({"service": self.local, "project": project, "accept_terms": true, "plan": "Basic"});
            trade.mia.post(SUBSCRIPTIONS, body).await;
        }
        let mut dice = Dice::new(round);
        let other = self.terms("organization", &mut dice);
        trade.pia.post(&format!("/api/v1/services/{}/contracts", self.local), other).await.expect(201);
        self.services = vec![open, asked, made];
    }

    fn everybody(&self) -> [&Person; 7] {
        let trade = &self.trade;
        [&trade.mia, &trade.rob, &trade.eva, &trade.vic, &trade.pia, &trade.pat, &trade.pol]
    }

    /// The live subscriptions: id, service, state.
    fn some(&self, dice: &mut Dice) -> Option<String> {
        let live: Vec<&String> =
            self.seen.iter().filter(|(_, state)| NEXT.iter().any(|(from, _)| from == state)).map(|(id, _)| id).collect();
        dice.pick(&live).map(|id| (*id).clone())
    }

    async fn turn(&mut self, dice: &mut Dice) {
        let turn = dice.roll(30);
        let trade = &self.trade;
        // Mostly those whose turn it may be, and who may do more do more; now and then anybody.
        let who: &Person = match (dice.roll(6), turn) {
            (0, _) => dice.pick(&self.everybody()).copied().unwrap(),
            (_, 13..=14) | (1, 5..=9) | (2, 5..=9) => dice.pick(&[&trade.pia, &trade.pat]).copied().unwrap(),
            (_, 22..=26) => dice.pick(&[&trade.mia, &trade.mia, &trade.mia, &trade.pia, &trade.rob, &trade.vic]).copied().unwrap(),
            _ => dice.pick(&[&trade.mia, &trade.mia, &trade.rob, &trade.eva, &trade.vic]).copied().unwrap(),
        };
        let (verb, answer) = match turn {
            0..=4 => ("subscribe", self.subscribe(who, dice).await),
            5..=9 => ("decide", self.decide(who, dice).await),
            10..=12 => ("move", self.subscription(who, dice).await),
            13..=14 => ("provide", self.provide(who, dice).await),
            15..=17 => ("choose", self.choose(who, dice).await),
            18..=19 => ("project", self.project(who, dice).await),
            20..=21 => ("contract", self.contract(who, dice).await),
            22..=26 => ("level", self.level(who, dice).await),
            27 => ("policy", self.policy(who, dice).await),
            _ => {
                let (unit, most) = if dice.roll(4) == 0 { (DAY, 12) } else { (HOUR, 20) };
                let step = unit * i64::try_from(1 + dice.roll(most)).unwrap();
                self.app.clock.advance(step);
                if dice.roll(3) > 0 {
                    jobs::tick(&self.app.stoa, self.app.stoa.clock.now()).await.unwrap();
                }
                return;
            }
        };
        let Some(answer) = answer else { return };
        assert!(matches!(answer.status, 200 | 201 | 202 | 204 | 403 | 404 | 409 | 422), "{verb}: {answer:?}");
        let came = if answer.status < 300 { "done".to_owned() } else { answer.json()["code"].as_str().unwrap().to_owned() };
        *self.done.entry(format!("{verb}: {came}")).or_default() += 1;
    }

    fn choice(&self, dice: &mut Dice) -> Value {
        let future = ["yes", "ask", "no"][usize::try_from(dice.roll(3)).unwrap()];
        let (one, other) = (self.one_project(dice), self.one_project(dice));
        let until = self.app.stoa.clock.now().plus(DAY * i64::try_from(1 + dice.roll(30)).unwrap());
        match dice.roll(4) {
            0 => json!({"mode": "all", "include_future": future}),
            1 => json!({"mode": "all_except", "projects": [one], "include_future": future}),
            2 => json!({"mode": "selected", "projects": [one], "details": [{"project": one, "purpose": "so", "until": until}]}),
            _ => json!({"mode": "selected", "projects": BTreeSet::from([one, other])}),
        }
    }

    /// One of the projects there are, or one that is gone.
    fn one_project(&self, dice: &mut Dice) -> String {
        dice.pick(&self.projects).cloned().unwrap_or_else(|| "north".to_owned())
    }

    async fn subscribe(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        if dice.roll(3) == 0 {
            let body = json!({"service": self.local, "project": self.one_project(dice), "accept_terms": true, "plan": "Basic"});
            return Some(who.post(SUBSCRIPTIONS, body).await);
        }
        let body = json!({"service": dice.pick(&self.services), "projects": self.choice(dice), "accept_terms": true});
        Some(who.post(SUBSCRIPTIONS, body).await)
    }

    async fn decide(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let mut open = all_of(&self.trade.vic, "/api/v1/organizations/grid/requests?state=open").await;
        open.extend(all_of(&self.trade.vic, "/api/v1/organizations/grid/requests?state=needs_info").await);
        let request = id(dice.pick(&open)?);
        let path = |verb: &str| format!("/api/v1/requests/{request}/{verb}");
        Some(match dice.roll(9) {
            0..=3 => who.post(&path("approve"), json!({})).await,
            4 => who.post(&path("reject"), json!({"reason": "no"})).await,
            5 => who.post(&path("ask"), json!({"question": "why?"})).await,
            6 => who.post(&path("answer"), json!({"text": "so"})).await,
            7 => who.post(&path("answer"), json!({"text": "so", "projects": self.choice(dice)})).await,
            _ => who.post(&path("withdraw"), json!({})).await,
        })
    }

    async fn subscription(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let path = format!("{SUBSCRIPTIONS}/{}", self.some(dice)?);
        Some(match dice.roll(6) {
            0 | 1 => who.post(&format!("{path}/pause"), json!({})).await,
            2 => who.post(&format!("{path}/resume"), json!({})).await,
            3 => who.post(&format!("{path}/cancel"), json!({"when": "period_end"})).await,
            4 => who.post(&format!("{path}/keep"), json!({})).await,
            _ => who.post(&format!("{path}/cancel"), json!({})).await,
        })
    }

    /// What a provider does: also with subscriptions of another service, which it has not.
    async fn provide(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let waiting: Vec<&String> = self.seen.iter().filter(|(_, state)| *state == "provisioning").map(|(id, _)| id).collect();
        let (subscription, verb) = match dice.pick(&waiting) {
            Some(waiting) if dice.roll(4) > 0 => ((*waiting).clone(), *dice.pick(&["ready", "ready", "fail"])?),
            _ => (self.some(dice)?, *dice.pick(&["pause", "resume", "resume", "ready", "fail"])?),
        };
        let service = self.trade.read(&subscription).await["service"]["id"].as_str().unwrap().to_owned();
        let body = if matches!(verb, "ready" | "resume") { json!({}) } else { json!({"reason": "so"}) };
        Some(who.post(&format!("/api/v1/services/{service}/subscriptions/{subscription}/{verb}"), body).await)
    }

    async fn choose(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let subscription = self.some(dice)?;
        Some(self.trade.choose(who, &subscription, self.choice(dice)).await)
    }

    async fn project(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let project = self.one_project(dice);
        let path = format!("/api/v1/organizations/grid/projects/{project}");
        match dice.roll(7) {
            0 => Some(who.delete(&path).await),
            1 | 5 | 6 => {
                Some(who.post("/api/v1/organizations/grid/projects", json!({"name": format!("Place {}", dice.roll(1_000_000))})).await)
            }
            2 => Some(who.post(&format!("{path}/locks"), json!({"service": dice.pick(&self.services)})).await),
            3 => Some(who.post(&format!("{path}/locks"), json!({})).await),
            _ => {
                let answer = self.trade.vic.get(&format!("{path}/locks")).await;
                let locks = if answer.status == 200 { answer.json()["items"].as_array().unwrap().clone() } else { Vec::new() };
                let lock = id(dice.pick(&locks)?);
                Some(who.delete(&format!("{path}/locks/{lock}")).await)
            }
        }
    }

    fn terms(&self, level: &str, dice: &mut Dice) -> Value {
        let permissions = if dice.roll(2) == 0 { json!(["resources:read", "resources:write"]) } else { json!(["resources:read"]) };
        let monthly = (5 + dice.roll(10)).to_string();
        let until = self.app.stoa.clock.now().plus(DAY * i64::try_from(30 + dice.roll(10)).unwrap());
        json!({"level": level, "permissions": permissions, "plans": [{"name": "Basic", "currency": "EUR", "monthly": monthly}],
            "notice_until": until})
    }

    async fn contract(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        if dice.roll(3) == 0 {
            let body = self.terms("organization", dice);
            return Some(self.trade.pia.post(&format!("/api/v1/services/{}/contracts", dice.pick(&self.services)?), body).await);
        }
        let subscription = self.some(dice)?;
        let standing = self.trade.vic.get(&format!("{SUBSCRIPTIONS}/{subscription}/contract")).await.expect(200);
        let contract = standing["offered"]["contract"]["id"].as_str().or(standing["offered"]["id"].as_str())?.to_owned();
        let verb = if dice.roll(4) == 0 { "refuse" } else { "accept" };
        Some(who.post(&format!("{SUBSCRIPTIONS}/{subscription}/contract/{verb}"), json!({"contract": contract})).await)
    }

    async fn level(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let changes = all_of(&self.trade.vic, "/api/v1/organizations/grid/level-changes").await;
        let open: Vec<Value> =
            changes.into_iter().filter(|change| matches!(change["state"].as_str(), Some("accepted" | "switched"))).collect();
        if let Some(change) = dice.pick(&open)
            && dice.roll(3) > 0
        {
            let verb = dice.pick(&["switch", "switch", "undo"])?;
            return Some(who.post(&format!("/api/v1/level-changes/{}/{verb}", id(change)), json!({})).await);
        }
        if dice.roll(3) == 0 {
            let level = if dice.roll(3) == 0 { "project" } else { "organization" };
            let body = self.terms(level, dice);
            return Some(self.trade.pia.post(&format!("/api/v1/services/{}/contracts", self.local), body).await);
        }
        let read = self.trade.pia.get(&format!("/api/v1/services/{}", self.local)).await;
        let contract = read.json()["contract"]["id"].clone();
        let some = json!({"service": self.local, "contract": contract, "projects": [self.one_project(dice)]});
        let body = if dice.roll(3) == 0 { some } else { json!({"service": self.local, "contract": contract}) };
        Some(who.post("/api/v1/organizations/grid/level-changes", body).await)
    }

    async fn policy(&self, who: &Person, dice: &mut Dice) -> Option<Answer> {
        let rules =
            if dice.roll(2) == 0 { json!([]) } else { json!([{"name": "Any", "monthly_from": [{"amount": "1", "currency": "EUR"}]}]) };
        Some(who.put("/api/v1/organizations/grid/policy", json!({"rules": rules})).await)
    }

    /// What must hold whatever has happened.
    async fn judge(&mut self) {
        let now: Ts = self.app.stoa.clock.now();
        let all = all_of(&self.trade.vic, SUBSCRIPTIONS).await;
        let mut live: BTreeMap<String, usize> = BTreeMap::new();
        for one in &all {
            let (subscription, state) = (id(one), one["state"].as_str().unwrap().to_owned());
            if let Some(before) = self.seen.get(&subscription) {
                assert!(follows(before, &state), "{before} became {state}: {one}");
            }
            let in_force = matches!(state.as_str(), "active" | "suspended" | "ending");
            let paused = one["paused_by"].as_array().unwrap();
            assert_eq!(!paused.is_empty(), state == "suspended", "{one}");
            assert_eq!(
                one["activated_at"].is_null(),
                matches!(state.as_str(), "requested" | "provisioning" | "rejected" | "withdrawn" | "expired" | "failed"),
                "{one}"
            );
            assert_eq!(one["setup"].is_null(), !matches!(state.as_str(), "provisioning" | "failed"), "{one}");
            if !in_force {
                let open = |grant: &&Value| grant["until"].as_str().is_none_or(|until| until.parse::<Ts>().unwrap() > now);
                assert_eq!(one["grants"].as_array().unwrap().iter().find(open), None, "a grant without a subscription in force: {one}");
            }
            if NEXT.iter().any(|(from, _)| *from == state)
                && one["replaced_by"] == json!([])
                && one["contract"]["level"] == "organization"
                && !paused.contains(&json!("level_change"))
            {
                *live.entry(one["service"]["id"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            for request in one["requests"].as_array().unwrap() {
                self.judge_request(request);
            }
            self.seen.insert(subscription, state);
        }
        self.projects = handles(&self.trade).await;
        assert!(live.values().all(|count| *count <= 1), "two live subscriptions of one service: {live:?}");
    }

    fn judge_request(&self, request: &Value) {
        let requester = &request["requested_by"];
        let decided = |said: &&Value| ["approved", "rejected", "asked"].contains(&said["decision"].as_str().unwrap());
        for said in request["decisions"].as_array().unwrap().iter().filter(decided) {
            let own = said["decided_by"]["id"] == requester["id"] || said["on_behalf_of"]["id"] == requester["id"];
            // The sole maintainer of Grid may, and the log says so.
            assert!(!own || requester["name"] == "mia", "decided their own: {request}");
        }
    }
}

api_tests! {
    async fn whatever_everybody_does_rights_follow_the_rules_and_the_map_is_the_log(app: &TestApp) {
        let mut world = World::new(app).await;
        let mut times: Vec<Ts> = Vec::new();
        for seed in 0..10 {
            let mut dice = Dice::new(seed);
            world.renew(seed).await;
            for _ in 0..70 {
                world.turn(&mut dice).await;
                world.judge().await;
                if times.last() != Some(&app.stoa.clock.now()) {
                    times.push(app.stoa.clock.now());
                }
            }
        }
        let log = all_of(&world.trade.mia, "/api/v1/organizations/grid/events").await;
        let told: BTreeSet<&str> = log.iter().map(|event| event["type"].as_str().unwrap()).collect();
        for kind in ["subscription.activated", "request.rejected", "subscription.paused", "subscription.ended", "subscription.ready",
            "subscription.failed", "subscription.projects_changed", "level_change.accepted", "level_change.switched", "level_change.undone"] {
            assert!(told.contains(kind), "{kind} did not happen; {:?} {:?}", told, world.done);
        }
        // Who decided their own request was the sole maintainer, and the log says so.
        let mia = world.trade.mia.id().to_string();
        for event in log.iter().filter(|event| event["data"]["own"] == true) {
            assert_eq!(event["actor"]["id"], mia, "{event}");
        }
        for (index, at) in times.iter().enumerate() {
            // Each instant at which something could happen, and one between it and the next.
            let between = times.get(index + 1).map(|next| Ts::from_micros((at.micros() + next.micros()) / 2));
            for at in [Some(*at), between].into_iter().flatten() {
                assert_eq!(mapped(&world.trade.vic, at).await, replay(&log, at), "at {at}");
            }
        }
    }
}
