//! Budgets: what a month may cost, who may set it, and what holds a subscription up when it is used up.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_actions::jobs;
use stoa_testkit::{Answer, Person, TestApp, api_tests};

use super::{
    trade::{Trade, events},
    usage::{self, World},
};

/// The plan costs 2 a call and nothing else.
fn plan() -> Value {
    json!({"name": "Standard", "currency": "EUR", "meters": [{"name": "calls", "unit": "call", "unit_price": "2"}]})
}

fn at(subscription: &str) -> String {
    format!("/api/v1/organizations/grid/subscriptions/{subscription}/budget")
}

async fn set(who: &Person, subscription: &str, amount: &str) -> Answer {
    who.put(&at(subscription), json!({"amount": amount})).await
}

async fn state(world: &World) -> Vec<String> {
    let read = world.ada.get(&format!("/api/v1/organizations/grid/subscriptions/{}", world.subscription)).await.expect(200);
    let causes = read["paused_by"].as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned());
    std::iter::once(read["state"].as_str().unwrap().to_owned()).chain(causes).collect()
}

async fn tick(app: &TestApp) -> u64 {
    jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().budgets
}

api_tests! {
    async fn what_is_used_up_is_closed_until_the_budget_is_raised_or_the_month_is_over(app: &TestApp) {
        let world = World::new(app, plan()).await;
        app.clock.set("2026-03-12T12:00:00Z");
        let new = set(&world.ada, &world.subscription, "10.00").await.expect(200);
        assert_eq!((&new["amount"]["amount"], &new["spent"]["amount"], &new["used_up"]), (&json!("10.00"), &json!("0"), &json!(false)));
        world.report(json!([world.event("1", "north", "calls", "4", "2026-03-11T12:00:00Z")])).await.expect(200);
        assert_eq!((tick(app).await, state(&world).await), (0, vec!["active".to_owned()]));
        world.report(json!([world.event("2", "south", "calls", "1", "2026-03-11T12:00:00Z")])).await.expect(200);
        let resource = format!("{}/subscriptions/{}", app.stoa.public_url.trim_end_matches('/'), world.subscription);
        let token = usage::token(&app.anonymous(), &world.application, &world.secret, Some(resource)).await;
        let service = app.anonymous().with_token(&token);
        let path = "/api/v1/organizations/grid/projects/north/resources";
        service.get(path).await.expect(200);

        // Of two nodes one does it.
        let (one, two) = tokio::join!(tick(app), tick(app));
        assert_eq!(one + two, 1);
        assert_eq!(state(&world).await, ["suspended", "budget"]);
        service.get(path).await.expect_problem(401, "unauthenticated");
        app.write_mails().await;
        let mail = app.mail_to(&world.ada.user.email).await;
        assert!(mail.rendered.text.contains("EUR 10.00 a month are used up"), "{}", mail.rendered.text);
        // Nobody but the budget lifts it.
        let resume = format!("/api/v1/organizations/grid/subscriptions/{}/resume", world.subscription);
        world.ada.post(&resume, json!({})).await.expect_problem(409, "not_paused");

        set(&world.ada, &world.subscription, "12").await.expect(200);
        assert_eq!(state(&world).await, ["active"]);
        let used = set(&world.ada, &world.subscription, "9.99").await.expect(200);
        assert_eq!((&used["used_up"], state(&world).await), (&json!(true), vec!["suspended".to_owned(), "budget".to_owned()]));
        app.clock.set("2026-04-01T00:00:00Z");
        assert_eq!((tick(app).await, state(&world).await), (1, vec!["active".to_owned()]));
        assert_eq!(tick(app).await, 0);
        // What is reported late still counts where it belongs.
        world.report(json!([world.event("3", "south", "calls", "9", "2026-03-11T13:00:00Z")])).await.expect(200);
        assert_eq!(tick(app).await, 0);
        world.report(json!([world.event("4", "south", "calls", "5", "2026-04-01T00:00:00Z")])).await.expect(200);
        assert_eq!(tick(app).await, 1);
        world.ada.send(world.ada.request(Method::DELETE, &at(&world.subscription))).await.expect(204);
        assert_eq!(state(&world).await, ["active"]);
        assert_eq!(world.ada.get(&at(&world.subscription)).await.expect(200), Value::Null);
        let told = events(&world.ada, "grid", "subscription.budget_set").await;
        assert_eq!((told.len(), &told[2]["data"]["was"]["amount"]), (3, &json!("12.00")));
    }

    async fn less_is_set_by_those_who_may_reduce_and_more_by_a_maintainer(app: &TestApp) {
        let trade = Trade::new(app).await;
        let service = trade.service("Forecast", "public").await;
        let subscription = trade.active(&service, json!({"mode": "all"})).await;
        for (amount, said) in [("", "decimal"), ("0", "above zero"), ("1.001", "2 decimals"), ("-4", "negative")] {
            let problem = set(&trade.mia, &subscription, amount).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/amount", "{problem}");
            let detail = problem["errors"][0]["detail"].as_str().unwrap();
            assert!(said == "decimal" || detail.contains(said), "{amount}: {detail}");
        }
        set(&trade.rob, &subscription, "100").await.expect(200);
        set(&trade.eva, &subscription, "80").await.expect(200);
        set(&trade.eva, &subscription, "90").await.expect_problem(403, "forbidden");
        set(&trade.vic, &subscription, "10").await.expect_problem(403, "forbidden");
        set(&trade.sam, &subscription, "10").await.expect_problem(404, "not_found");
        app.anonymous().get(&at(&subscription)).await.expect_problem(401, "unauthenticated");
        trade.eva.delete(&at(&subscription)).await.expect_problem(403, "forbidden");
        set(&trade.mia, &subscription, "90").await.expect(200);
        assert_eq!(trade.vic.get(&at(&subscription)).await.expect(200)["amount"], json!({"amount": "90.00", "currency": "EUR"}));
        trade.mia.delete(&at(&subscription)).await.expect(204);
        trade.cancel(&trade.mia, &subscription).await.expect(200);
        set(&trade.mia, &subscription, "90").await.expect_problem(409, "wrong_state");
    }
}
