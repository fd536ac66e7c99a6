//! Costs: exact, by day, the same however they are grouped or written.

use serde_json::{Value, json};
use stoa_domain::amounts::Cost;
use stoa_testkit::{TestApp, api_tests};

use super::usage::{World, plan, published, subscribed};

async fn costs(world: &World, query: &str) -> Value {
    world.ada.get(&format!("/api/v1/organizations/grid/costs{query}")).await.expect(200)
}

/// Each row as `project component cost`.
fn rows(answer: &Value) -> Vec<String> {
    let row = |item: &Value| {
        let project = item["project"]["handle"].as_str().unwrap_or("-");
        format!("{project} {} {}", item["component"].as_str().unwrap_or("-"), item["cost"].as_str().unwrap())
    };
    answer["items"].as_array().unwrap().iter().map(row).collect()
}

fn sum<'a>(costs: impl IntoIterator<Item = &'a str>) -> String {
    Cost::sum(costs.into_iter().map(|cost| cost.parse().unwrap())).unwrap().to_string()
}

/// The records of a CSV file below its header, each as name → cell.
fn records(csv: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    reader.records().map(|record| header.iter().cloned().zip(record.unwrap().iter().map(str::to_owned)).collect()).collect()
}

/// Activated on 10 March at noon; some usage on the 10th and 11th.
async fn used(app: &TestApp) -> World {
    let world = World::new(app, plan()).await;
    app.clock.set("2026-03-11T13:00:00Z");
    let batch = json!([
        world.event("1", "north", "requests", "0.0000001453", "2026-03-10T12:00:00Z"),
        world.event("2", "south", "requests", "2.5", "2026-03-11T12:00:00Z"),
        world.event("3", "north", "storage", "9", "2026-03-10T12:00:00Z"),
        world.event("4", "south", "storage", "3", "2026-03-11T12:00:00Z"),
    ]);
    world.report(batch).await.expect(200);
    world
}

api_tests! {
    async fn fees_accrue_by_day_and_a_full_month_is_exactly_the_fee(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let fees = |answer: Value| rows(&answer);
        assert_eq!(
            fees(costs(&world, "").await),
            ["- one_time 5", "- monthly 1", "north monthly_per_project 0.1", "south monthly_per_project 0.1"]
        );
        app.clock.set("2026-03-20T00:00:00Z");
        assert_eq!(fees(costs(&world, "?group_by=component").await), ["- one_time 5", "- monthly 11", "- monthly_per_project 2.2"]);
        app.clock.set("2026-05-15T00:00:00Z");
        let march = costs(&world, "?from=2026-03-01&to=2026-04-01&group_by=component").await;
        assert_eq!(fees(march), ["- one_time 5", "- monthly 22", "- monthly_per_project 4.4"]);
        let april = costs(&world, "?from=2026-04-01&to=2026-05-01&group_by=component").await;
        assert_eq!(fees(april), ["- monthly 31", "- monthly_per_project 6.2"]);
        let months = costs(&world, "?from=2026-03-01&to=2026-05-01&group_by=month").await;
        assert_eq!(rows(&months), ["- - 31.4", "- - 37.2"]);
        assert_eq!(months["items"][1]["month"], "2026-04");
        assert_eq!(months["total"], json!({"amount": "68.6", "currency": "EUR"}));

        // A subscription cancelled at midnight costs nothing on the day that begins.
        world.ada.post(&format!("/api/v1/organizations/grid/subscriptions/{}/cancel", world.subscription), json!({})).await.expect(200);
        app.clock.set("2026-07-01T00:00:00Z");
        let may = costs(&world, "?from=2026-05-01&to=2026-06-01&group_by=component").await;
        assert_eq!(fees(may), ["- monthly 14", "- monthly_per_project 2.8"]);
        let june = costs(&world, "?from=2026-06-01&to=2026-07-01").await;
        assert_eq!(june["items"], json!([]));
    }

    async fn usage_costs_exactly_what_the_plan_says(app: &TestApp) {
        let world = used(app).await;
        let answer = costs(&world, "?group_by=project,component").await;
        let metered: Vec<_> = rows(&answer).into_iter().filter(|row| row.contains("meter:")).collect();
        // 12 GB of the month: 10 at 1 and 2 at 0.5, shared 9 to 3.
        assert_eq!(
            metered,
            [
                "north meter:requests 0.00000000000005812",
                "north meter:storage 8.25",
                "south meter:requests 0.000001",
                "south meter:storage 2.75"
            ]
        );
        let item = answer["items"].as_array().unwrap().iter().find(|item| item["component"] == "meter:requests").unwrap();
        assert_eq!(item["quantity"], "0.0000001453");
        assert_eq!(item["currency"], "EUR");
        assert_eq!(item["project"]["name"], "North");
        let correction = world.event("5", "north", "requests", "-0.0000001453", "2026-03-10T12:00:00Z");
        world.report(json!([correction])).await.expect(200);
        let answer = costs(&world, "?group_by=project,component").await;
        assert!(!rows(&answer).iter().any(|row| row.starts_with("north meter:requests")), "{answer}");
    }

    async fn every_grouping_and_every_form_comes_to_the_same(app: &TestApp) {
        let world = used(app).await;
        let total = costs(&world, "?group_by=").await["total"]["amount"].as_str().unwrap().to_owned();
        for by in ["", "service", "project", "component", "day", "month", "subscription", "service,project,component,day"] {
            let answer = costs(&world, &format!("?group_by={by}")).await;
            let items = answer["items"].as_array().unwrap();
            assert_eq!(sum(items.iter().map(|item| item["cost"].as_str().unwrap())), total, "{by}");
            assert_eq!(answer["total"], json!({"amount": total, "currency": "EUR"}), "{by}");
            let path = format!("/api/v1/organizations/grid/costs?group_by={by}");
            let csv = world.ada.send(world.ada.request(reqwest::Method::GET, &path).header("accept", "text/csv")).await;
            assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8", "{csv:?}");
            let csv = records(&csv.text());
            assert_eq!(csv.len(), items.len());
            for (record, item) in csv.iter().zip(items) {
                assert_eq!((record["cost"].as_str(), record["currency"].as_str()), (item["cost"].as_str().unwrap(), "EUR"));
                assert_eq!(record["quantity"], item["quantity"].as_str().unwrap_or(""));
                for (cell, at) in [("component", "/component"), ("day", "/day"), ("project_name", "/project/name"), ("service_id", "/service/id")] {
                    if let Some(cell) = record.get(cell) {
                        assert_eq!(cell, item.pointer(at).and_then(Value::as_str).unwrap_or(""), "{by}");
                    }
                }
            }
        }
    }

    async fn a_focus_file_has_the_required_columns_and_the_same_sum(app: &TestApp) {
        let world = used(app).await;
        let total = costs(&world, "").await["total"]["amount"].as_str().unwrap().to_owned();
        let focus = world.ada.get("/api/v1/organizations/grid/costs?format=focus").await;
        assert_eq!(focus.status, 200);
        let rows = records(&focus.text());
        for column in ["BilledCost", "ListCost", "EffectiveCost", "ContractedCost"] {
            assert_eq!(sum(rows.iter().map(|row| row[column].as_str())), total, "{column}");
        }
        for row in &rows {
            for column in [
                "BillingAccountId", "BillingAccountName", "BillingCurrency", "BillingPeriodStart", "BillingPeriodEnd", "ChargeCategory",
                "ChargeDescription", "ChargeFrequency", "ChargePeriodStart", "ChargePeriodEnd", "InvoiceIssuerName", "PricingQuantity",
                "PricingUnit", "ProviderName", "PublisherName", "ServiceCategory", "ServiceName", "SkuId", "SkuPriceId",
            ] {
                assert!(!row[column].is_empty(), "{column} of {row:?}");
            }
        }
        let tiny = rows.iter().find(|row| row["ConsumedQuantity"] == "0.0000001453").unwrap();
        assert_eq!(tiny["ListCost"], "0.00000000000005812");
        assert_eq!((tiny["ListUnitPrice"].as_str(), tiny["ConsumedUnit"].as_str()), ("0.0000004", "request"));
        assert_eq!((tiny["ChargePeriodStart"].as_str(), tiny["ChargePeriodEnd"].as_str()), ("2026-03-10T00:00:00Z", "2026-03-11T00:00:00Z"));
        assert_eq!((tiny["ChargeCategory"].as_str(), tiny["SubAccountName"].as_str()), ("Usage", "North"));
        assert_eq!((tiny["ServiceCategory"].as_str(), tiny["ProviderName"].as_str()), ("Analytics", "Lens"));
        assert!(rows.iter().any(|row| row["ChargeCategory"] == "Purchase" && row["ChargeFrequency"] == "One-Time"));
    }

    async fn the_page_shows_what_the_api_answers_and_offers_the_files(app: &TestApp) {
        let world = used(app).await;
        let eve = app.person_with_password("eve").await;
        let members = json!({"members": [{"email": eve.user.email, "role": "viewer"}]});
        world.ada.post("/api/v1/organizations/grid/members", members).await.expect(200);
        let browser = app.signed_in(&eve).await;
        for query in ["", "?group_by=project&step=month", "?group_by=service,project&step=day&from=2026-03-01&to=2026-03-31"] {
            let page = browser.get(&format!("/organizations/grid/costs{query}")).await;
            assert_eq!(page.status, 200, "{page:?}");
            let html = page.text();
            assert!(html.contains("EUR 18.40") && html.contains("Total in EUR"), "{query}: {html}");
            assert_eq!(html.contains("Load forecast"), !query.contains("group_by=project"), "{query}");
        }
        let wrong = browser.get("/organizations/grid/costs?from=2026-03-02&to=2026-03-01").await.text();
        assert!(wrong.contains("The last day must not lie before the first"), "{wrong}");
        let csv = browser.get("/organizations/grid/costs.csv?from=2026-03-01&to=2026-04-01&group_by=service").await;
        assert_eq!(records(&csv.text())[0]["cost"], costs(&world, "?group_by=service").await["items"][0]["cost"].as_str().unwrap());
        let focus = browser.get("/organizations/grid/costs.csv?from=2026-03-01&to=2026-04-01&format=focus").await;
        assert!(focus.text().starts_with("BilledCost,BillingAccountId,"), "{focus:?}");

        let sam = app.person_with_password("sam").await;
        let stranger = app.signed_in(&sam).await;
        assert_eq!(stranger.get("/organizations/grid/costs").await.status, 404);
        assert_eq!(stranger.get("/organizations/grid/costs.csv").await.status, 404);
        assert_eq!(app.browser().get("/organizations/grid/costs").await.status, 303);
    }

    async fn a_subscription_tells_its_usage_and_cost_by_project(app: &TestApp) {
        let world = used(app).await;
        let eve = app.person_with_password("eve").await;
        let members = json!({"members": [{"email": eve.user.email, "role": "viewer"}]});
        world.ada.post("/api/v1/organizations/grid/members", members).await.expect(200);
        let browser = app.signed_in(&eve).await;
        let list = browser.get("/organizations/grid/subscriptions").await.text();
        assert!(list.contains("EUR 18.40"), "{list}");
        let page = async |month: &str| browser.get(&format!("/organizations/grid/subscriptions/{}/usage{month}", world.subscription)).await;
        for month in ["", "?month=2026-03", "?month=1999-01", "?month=soon"] {
            let html = page(month).await.text();
            for shown in ["EUR 18.40", "EUR 0.00000000000005812", "0.0000001453 request", "9 GB", "One-time fee", "March 2026 so far"] {
                assert!(html.contains(shown), "{month}: no {shown} in {html}");
            }
        }
        let path = format!("/api/v1/organizations/grid/subscriptions/{}", world.subscription);
        let usage = world.ada.get(&path).await.expect(200)["costs"].clone();
        let all = costs(&world, "?group_by=project,component").await;
        assert_eq!((&usage["items"], &usage["total"]), (&all["items"], &all["total"]));
        assert_eq!((&usage["from"], &usage["to"]), (&json!("2026-03-01"), &json!("2026-04-01")));
    }

    async fn a_deleted_project_keeps_its_costs_under_its_name(app: &TestApp) {
        let world = used(app).await;
        let before = costs(&world, "?group_by=project").await;
        world.ada.delete("/api/v1/organizations/grid/projects/north").await.expect(204);
        let after = costs(&world, "?group_by=project").await;
        let names = |answer: &Value| answer["items"].as_array().unwrap().iter().map(|item| item["project"]["name"].clone()).collect::<Vec<_>>();
        assert_eq!(names(&after), names(&before));
        assert_eq!(after["total"], before["total"]);
    }

    async fn currencies_are_never_added_up(app: &TestApp) {
        let world = World::new(app, plan()).await;
        let mut dollars = plan();
        dollars["currency"] = json!("USD");
        let second = published(&world.bob, &world.application, "Geo tiles", dollars).await;
        subscribed(&world.ada, &second).await;
        let answer = costs(&world, "?group_by=service").await;
        assert_eq!(answer["total"], Value::Null);
        assert_eq!(answer["totals"], json!([{"amount": "6.2", "currency": "EUR"}, {"amount": "6.2", "currency": "USD"}]));
        assert_eq!(costs(&world, "?group_by=").await["items"].as_array().unwrap().len(), 2);
    }

    async fn what_is_asked_wrongly_is_said_and_strangers_see_nothing(app: &TestApp) {
        let world = World::new(app, plan()).await;
        for path in ["/api/v1/organizations/grid/costs", "/api/v1/organizations/grid/usage"] {
            app.anonymous().get(path).await.expect_problem(401, "unauthenticated");
            world.bob.get(path).await.expect_problem(404, "not_found");
            world.reporter().await.get(path).await.expect_problem(403, "users_only");
            for (query, pointer) in [
                ("from=yesterday", "/from"),
                ("from=2026-03-02&to=2026-03-01", "/to"),
                ("from=2026-03-01&to=2026-03-01", "/to"),
                ("from=2024-01-01&to=2026-03-01&group_by=day", "/to"),
                ("group_by=colour", "/group_by"),
                ("format=xlsx", "/format"),
            ] {
                let problem = world.ada.get(&format!("{path}?{query}")).await.expect_problem(422, "invalid");
                assert_eq!(problem["errors"][0]["pointer"], pointer, "{query}");
            }
            world.ada.get(&format!("{path}?from=2024-01-01&to=2026-03-01&group_by=month")).await.expect(200);
            world.ada.get(&format!("{path}?from=2026-03-01T00:00:00%2B01:00&to=2026-03-31T12:00:00Z")).await.expect(200);
        }
        let empty = world.bob.get("/api/v1/organizations/lens/costs").await.expect(200);
        assert_eq!((&empty["items"], &empty["total"], &empty["totals"]), (&json!([]), &Value::Null, &json!([])));
    }

    async fn costs_take_as_many_statements_whatever_there_is_to_cost(app: &TestApp) {
        let world = used(app).await;
        let count = async || {
            let before = app.statements();
            costs(&world, "?group_by=service,project,component,day").await;
            app.statements() - before
        };
        // Whoever has not been seen for an hour is noted down first.
        count().await;
        let one = count().await;
        for number in 0..4 {
            let service = published(&world.bob, &world.application, &format!("Service {number}"), plan()).await;
            subscribed(&world.ada, &service).await;
        }
        assert_eq!(count().await, one);
    }
}
