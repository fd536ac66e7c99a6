//! The marketplace: search, facets, orders, paging, who sees what.

use serde_json::{Value, json};
use stoa_testkit::{Client, Person, TestApp, api_tests};

use crate::services::{draft, provider, published, service};

pub fn names(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

pub async fn search(client: &Client, query: &[(&str, &str)]) -> Value {
    let request = client.request(reqwest::Method::GET, "/api/v1/marketplace").query(query);
    client.send(request).await.expect(200)
}

/// A small catalogue of two providers, published a second after one another.
async fn catalogue(app: &TestApp) -> (Person, Person) {
    let ada = app.person("ada").await;
    let ben = app.person("ben").await;
    let (grid, grid_engine) = provider(&ada, "Grid Works").await;
    let (sun, sun_engine) = provider(&ben, "Sölar Minds").await;
    let entries = [
        (&ada, &grid, &grid_engine, "Load forecast", "Tomorrow's load of each feeder", "energy", "organization"),
        (&ada, &grid, &grid_engine, "Outage map", "Where the lights are out", "maps", "project"),
        (&ben, &sun, &sun_engine, "Yield", "A forecast of the sun on each roof", "energy", "organization"),
        (&ben, &sun, &sun_engine, "Reports", "Monthly papers", "documents", "project"),
    ];
    for (person, org, engine, name, summary, category, level) in entries {
        let mut body = service(engine, name);
        body["summary"] = json!(summary);
        body["categories"] = json!([category, "data"]);
        body["contract"]["level"] = json!(level);
        if name == "Reports" {
            body["description"] = json!("Explains the forecast of last month, page by page.");
            body["visibility"] = json!("on_request");
        }
        app.clock.advance(1_000_000);
        published(person, org, &body).await;
    }
    (ada, ben)
}

api_tests! {
    async fn the_best_match_comes_first_and_all_words_must_match(app: &TestApp) {
        catalogue(app).await;
        let eve = app.person("eve").await;
        let found = search(&eve, &[("q", "forecast")]).await;
        assert_eq!(names(&found), ["Load forecast", "Yield", "Reports"], "name before summary before description");
        assert_eq!(found["total"], 3);
        assert_eq!(names(&search(&eve, &[("q", "FORE")]).await).len(), 3, "words match from their beginning");
        assert_eq!(names(&search(&eve, &[("q", "forecast roof")]).await), ["Yield"]);
        assert_eq!(names(&search(&eve, &[("q", "load forecast")]).await), ["Load forecast"]);
        assert_eq!(names(&search(&eve, &[("q", "forecast nothing")]).await), [""; 0]);
        assert_eq!(names(&search(&eve, &[("q", "maps")]).await), ["Outage map"], "categories are searched");
        let mut of_grid = search(&eve, &[("q", "grid works")]).await;
        of_grid["items"].as_array_mut().unwrap().sort_by_key(|one| one["name"].to_string());
        assert_eq!(names(&of_grid), ["Load forecast", "Outage map"], "providers are searched");
        assert_eq!(search(&eve, &[("q", "solar")]).await["total"], 2, "accents do not matter");
        let item = &found["items"][0];
        assert_eq!(item["provider"], json!({"handle": "grid-works", "name": "Grid Works"}));
        assert_eq!(item["price"]["text"], "EUR 12.50 a month");
        assert_eq!(item["price"]["price"], json!({"amount": "12.50", "currency": "EUR"}));
        assert_eq!(item["level"], "organization");
        assert_eq!(item["categories"], json!(["energy", "data"]));
    }

    async fn a_service_of_just_that_name_comes_before_those_that_mention_it_often(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, engine) = provider(&ada, "Grid").await;
        for name in ["Forecast", "Forecast of all there is to know"] {
            published(&ada, &org, &service(&engine, name)).await;
        }
        let mut loud = service(&engine, "Loud");
        loud["summary"] = json!("forecast forecast forecast forecast");
        loud["description"] = json!("forecast ".repeat(500));
        published(&ada, &org, &loud).await;
        assert_eq!(names(&search(&ada, &[("q", "forecast")]).await), ["Forecast", "Forecast of all there is to know", "Loud"]);
    }

    async fn facets_count_what_choosing_another_value_would_show(app: &TestApp) {
        catalogue(app).await;
        let eve = app.person("eve").await;
        let all = search(&eve, &[]).await;
        assert_eq!(names(&all), ["Reports", "Yield", "Outage map", "Load forecast"], "newest first where nothing is searched for");
        let categories = json!([{"name": "data", "count": 4}, {"name": "energy", "count": 2}, {"name": "documents", "count": 1}, {"name": "maps", "count": 1}]);
        assert_eq!(all["facets"]["categories"], categories);
        assert_eq!(all["facets"]["levels"], json!([{"name": "organization", "count": 2}, {"name": "project", "count": 2}]));

        let energy = search(&eve, &[("category", "energy")]).await;
        assert_eq!(names(&energy), ["Yield", "Load forecast"]);
        assert_eq!(energy["facets"]["categories"], categories);
        assert_eq!(energy["facets"]["levels"], json!([{"name": "organization", "count": 2}]));
        assert_eq!(energy["facets"]["providers"].as_array().unwrap().len(), 2);

        let both = search(&eve, &[("q", "forecast"), ("provider", "grid-works"), ("level", "organization")]).await;
        assert_eq!(names(&both), ["Load forecast"]);
        assert_eq!(both["total"], 1);
        assert_eq!(both["facets"]["categories"], json!([{"name": "data", "count": 1}, {"name": "energy", "count": 1}]));
    }

    async fn pages_have_no_gaps_and_no_repeats_in_any_order(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, engine) = provider(&ada, "Grid").await;
        for number in 0..11 {
            // Some published at the same moment, some of the same name.
            if number % 3 == 0 {
                app.clock.advance(1_000_000);
            }
            published(&ada, &org, &service(&engine, &format!("Forecast {}", number % 4))).await;
        }
        for (q, sort) in [("", "relevance"), ("forecast", "relevance"), ("", "name"), ("forecast", "name"), ("", "newest"), ("fore", "newest"), ("forcast", "relevance"), ("forcast", "name")] {
            let whole = search(&ada, &[("q", q), ("sort", sort)]).await;
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = search(&ada, &[("q", q), ("sort", sort), ("limit", "3"), ("cursor", &cursor)]).await;
                assert_eq!(page["total"], 11);
                seen.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()));
                match page["next_cursor"].as_str() {
                    Some(next) => cursor = next.to_owned(),
                    None => break,
                }
            }
            let all: Vec<_> = whole["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
            assert_eq!(seen, all, "{q} by {sort}");
            assert_eq!(all.len(), 11);
        }
        let by_name = search(&ada, &[("sort", "name"), ("limit", "3")]).await;
        let cursor = by_name["next_cursor"].as_str().unwrap();
        ada.get(&format!("/api/v1/marketplace?sort=newest&cursor={cursor}")).await.expect_problem(422, "invalid");
    }

    async fn only_what_is_published_and_meant_for_the_caller_is_listed(app: &TestApp) {
        let ada = app.person("ada").await;
        let eve = app.person("eve").await;
        let (org, engine) = provider(&ada, "Grid").await;
        let url = |handle: &str| format!("/api/v1/marketplace/{handle}");
        let hidden = draft(&ada, &org, &service(&engine, "Hidden")).await;
        let mut body = service(&engine, "Own");
        body["visibility"] = json!("private");
        let own = published(&ada, &org, &body).await;
        let open = published(&ada, &org, &service(&engine, "Open")).await;
        assert_eq!(names(&search(&eve, &[]).await), ["Open"]);
        assert_eq!(search(&eve, &[("q", "own")]).await["total"], 0);
        assert_eq!(search(&eve, &[]).await["facets"]["categories"], json!([{"name": "analytics", "count": 1}]));
        assert_eq!(names(&search(&ada, &[("sort", "name")]).await), ["Open", "Own"]);
        ada.get(&url(&hidden)).await.expect_problem(404, "not_found");
        ada.get(&url(&own)).await.expect(200);
        eve.get(&url(&own)).await.expect_problem(404, "not_found");
        assert_eq!(eve.get(&url(&open)).await.expect(200)["contract"]["plans"][0]["name"], "Basic");

        ada.post(&format!("/api/v1/services/{open}/pause"), json!({})).await.expect(200);
        assert_eq!(search(&eve, &[]).await["total"], 0);
        eve.get(&url(&open)).await.expect_problem(404, "not_found");
        ada.post(&format!("/api/v1/services/{open}/publish"), json!({})).await.expect(200);
        ada.delete(&format!("/api/v1/organizations/{org}?confirm=Grid")).await.expect(204);
        assert_eq!(search(&eve, &[]).await["total"], 0, "a deleted provider offers nothing");
        eve.get(&url(&open)).await.expect_problem(404, "not_found");

        app.anonymous().get("/api/v1/marketplace").await.expect_problem(401, "unauthenticated");
        app.anonymous().get(&url(&open)).await.expect_problem(401, "unauthenticated");
    }

    async fn what_is_changed_is_found_under_its_new_words_at_once(app: &TestApp) {
        let ada = app.person("ada").await;
        let (org, engine) = provider(&ada, "Grid").await;
        let handle = published(&ada, &org, &service(&engine, "Before")).await;
        ada.patch(&format!("/api/v1/services/{handle}"), json!({"name": "After", "description": "Peaks and valleys"})).await.expect(200);
        assert_eq!(search(&ada, &[("q", "valley")]).await["total"], 1);
        assert_eq!(search(&ada, &[("q", "after")]).await["total"], 1);
        ada.patch(&format!("/api/v1/organizations/{org}"), json!({"name": "Northern Lines"})).await.expect(200);
        assert_eq!(search(&ada, &[("q", "northern")]).await["items"][0]["provider"]["name"], "Northern Lines");
    }

    async fn nothing_that_is_typed_is_an_error(app: &TestApp) {
        let (ada, _) = catalogue(app).await;
        for typed in [
            "\"", "\"forecast", "*", "fore*", "-load", "load -map", "NEAR(load map)", "name:load", "{name} : load", "a AND", "OR", "NOT x", "^load",
            "(", ")", "load & ", "!load", "| load", "load <-> forecast", ":*", "'", "''load", "\\", "%", "_", "a:b:c", "load:A", "\u{0}", "\u{1F600}",
            "m²", "1e5", "電力", "; drop table services", "$1", "?1", "load\tforecast\n", "ﬁ", "İ", "…", "a.b@c.example", "/x/y", "<b>load</b>",
        ] {
            search(&ada, &[("q", typed)]).await;
        }
        assert_eq!(search(&ada, &[("q", "***")]).await["total"], 4, "no words: nothing is searched for");
        ada.get(&format!("/api/v1/marketplace?q={}", "x".repeat(201))).await.expect_problem(422, "invalid");
        for wrong in ["sort=price", "level=galaxy", "limit=0", "cursor=zzz"] {
            ada.get(&format!("/api/v1/marketplace?{wrong}")).await.expect_problem(422, "invalid");
        }
    }

    async fn the_number_of_statements_does_not_depend_on_what_is_found(app: &TestApp) {
        let (ada, _) = catalogue(app).await;
        // Words are looked up and tried as they were typed, before what they mean is searched for.
        let words = [&[("q", "nothing")][..], &[("q", "outage")], &[("q", "forcast")], &[("q", "load"), ("sort", "name")]];
        for queries in [&words[..], &[&[], &[("sort", "name")]]] {
            let mut costs = Vec::new();
            for query in queries {
                let before = app.statements();
                search(&ada, query).await;
                costs.push(app.statements() - before);
            }
            assert!(costs.iter().all(|cost| *cost == costs[0]), "{costs:?}");
        }
    }
}
