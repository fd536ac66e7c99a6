//! Random moves of everybody: whatever they do, no request reaches a state that it should not, and nobody decides their own.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_domain::time::DAY;
use stoa_testkit::{Answer, Person, TestApp, api_tests};

use crate::{
    dice::Dice,
    trade::{Trade, events, id},
};

fn choice(dice: &mut Dice) -> Value {
    match dice.roll(3) {
        0 => json!({"mode": "all", "include_future": "no"}),
        1 => json!({"mode": "selected", "projects": ["north"]}),
        _ => json!({"mode": "all_except", "projects": ["east"], "include_future": "ask"}),
    }
}

async fn moved(app: &TestApp, trade: &Trade, dice: &mut Dice, request: &str) -> Option<Answer> {
    let people = [&trade.mia, &trade.rob, &trade.eva, &trade.vic, &trade.pia, &trade.pat, &trade.pol];
    let who: &Person = people[usize::try_from(dice.roll(7)).unwrap()];
    let path = |verb: &str| format!("/api/v1/requests/{request}/{verb}");
    Some(match dice.roll(12) {
        0..=2 => who.post(&path("approve"), json!({})).await,
        3 => who.post(&path("reject"), json!({"reason": "no"})).await,
        4 | 5 => who.post(&path("ask"), json!({"question": "why?"})).await,
        6 => who.post(&path("answer"), json!({"text": "so"})).await,
        7 => who.post(&path("answer"), json!({"text": "so", "projects": choice(dice)})).await,
        8 => who.post(&path("withdraw"), json!({})).await,
        9 => {
            let price =
                if dice.roll(2) == 0 { json!([]) } else { json!([{"name": "Any", "monthly_from": [{"amount": "1", "currency": "EUR"}]}]) };
            trade.mia.put("/api/v1/organizations/grid/policy", json!({"rules": price})).await.expect(200);
            return None;
        }
        10 => {
            let body = json!({"to": if dice.roll(2) == 0 { &trade.eva } else { &trade.vic }.user.email, "until": "2027-01-01"});
            let answer = trade.rob.post("/api/v1/organizations/grid/delegations", body).await;
            assert!(matches!(answer.status, 201 | 409), "{answer:?}");
            return None;
        }
        _ => {
            app.clock.advance(i64::try_from(dice.roll(9)).unwrap() * DAY);
            jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap();
            return None;
        }
    })
}

/// What must hold of a request whatever has happened.
async fn judge(trade: &Trade, asked: &Value, was: &str) -> String {
    let read = trade.read(&id(asked)).await;
    let request = &read["requests"][0];
    let state = request["state"].as_str().unwrap().to_owned();
    let closed = |word: &str| ["approved", "rejected", "withdrawn", "expired"].contains(&word);
    assert!(!closed(was) || state == was, "nothing closed moves again: {was}, {state}");
    let subscription = match state.as_str() {
        "open" | "needs_info" => "requested",
        "approved" => "active",
        other => other,
    };
    assert_eq!(read["state"], subscription, "{request}");
    let live = read["grants"].as_array().unwrap().iter().filter(|grant| grant["until"].is_null()).count();
    assert_eq!(live > 0, state == "approved", "grants are there when it is approved, and only then");
    let said = request["decisions"].as_array().unwrap();
    let steps: BTreeSet<_> = said
        .iter()
        .filter(|said| said["decision"] == "approved" && said["void"] == false)
        .map(|said| said["step"].as_str().unwrap().to_owned())
        .collect();
    if state == "approved" {
        assert!(steps.contains("provider"), "{request}");
        // Vic may only ask, so the organization itself has approved what it came to in the end.
        assert!(steps.contains("internal"), "{request}");
    }
    for said in said.iter().filter(|said| ["approved", "rejected", "asked"].contains(&said["decision"].as_str().unwrap())) {
        let requester = &request["requested_by"]["id"];
        assert!(said["decided_by"]["id"] != *requester && said["on_behalf_of"]["id"] != *requester, "{said}");
    }
    state
}

api_tests! {
    async fn whatever_everybody_does_no_request_goes_astray(app: &TestApp) {
        let trade = Trade::new(app).await;
        let mut reached = BTreeSet::new();
        for seed in 0..8 {
            let mut dice = Dice::new(seed);
            let service = trade.service(&format!("Forecast {seed}"), "on_request").await;
            let projects = choice(&mut dice);
            let asked = trade.subscribe(&trade.vic, &service, projects).await.expect(201);
            let request = id(&asked["request"]);
            let mut state = "open".to_owned();
            for _ in 0..24 {
                if let Some(answer) = moved(app, &trade, &mut dice, &request).await {
                    assert!(matches!(answer.status, 200 | 403 | 404 | 409 | 422), "{answer:?}");
                }
                state = judge(&trade, &asked, &state).await;
            }
            reached.insert(state);
        }
        assert!(reached.len() >= 3, "the moves are too tame: {reached:?}");
        // Nobody was taken for a sole maintainer who decides their own.
        for kind in ["request.approved", "request.forwarded", "request.rejected"] {
            assert!(events(&trade.mia, "grid", kind).await.iter().all(|event| event["data"]["own"] == false));
        }
    }

    async fn of_an_approval_and_a_withdrawal_or_rejection_one_wins_and_the_other_is_told_who(app: &TestApp) {
        let trade = Trade::new(app).await;
        for round in 0..6 {
            let service = trade.service(&format!("Forecast {round}"), "public").await;
            let asked = trade.subscribe(&trade.vic, &service, json!({"mode": "all", "include_future": "no"})).await.expect(201);
            let path = format!("/api/v1/requests/{}", id(&asked["request"]));
            let (one, other) = (format!("{path}/approve"), match round % 3 { 0 => format!("{path}/withdraw"), 1 => format!("{path}/reject"), _ => format!("{path}/approve") });
            let second = if round % 3 == 0 { &trade.vic } else { &trade.mia };
            let (approved, against) = tokio::join!(trade.rob.post(&one, json!({})), second.post(&other, json!({"reason": "no"})));
            let (won, lost, by) = match (approved.status, against.status) {
                (200, 409) => (approved, against, "rob"),
                (409, 200) => (against, approved, second.user.name.as_str()),
                other => panic!("exactly one wins: {other:?}"),
            };
            let problem = lost.expect_problem(409, "request_closed");
            let detail = problem["detail"].as_str().unwrap();
            let state = won.json()["state"].as_str().unwrap().to_owned();
            assert!(detail.contains(&format!("already {state}, by {by} at 2026-03-10T12:")), "{detail}");
        }
    }
}
