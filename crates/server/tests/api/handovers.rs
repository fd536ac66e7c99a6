//! Handing services over: offering, accepting, declining, taking back, expiring; what goes along and what stays; both sides at
//! the same moment.

use reqwest::Method;
use serde_json::{Value, json};
use stoa_access::{Access, ProjectRef};
use stoa_actions::{Stoa, jobs};
use stoa_domain::{
    access::Reason,
    secrets::Secret,
    services::DataPermission,
    time::{DAY, SECOND},
};
use stoa_store::Db;
use stoa_testkit::{Answer, Client, Person, Setup, TestApp, api_tests};

use crate::{
    providing::png,
    trade::{Trade, decide, events, id, names},
    usage,
};

/// Grid subscribes, Borealis provides, and Cirrus is offered what Borealis provides.
struct Handing {
    trade: Trade,
    /// Maintains Cirrus.
    cleo: Person,
    /// Reviewer of Cirrus.
    rex: Person,
    /// Viewer of Cirrus.
    cal: Person,
}

fn all() -> Value {
    json!({"mode": "all", "include_future": "no"})
}

impl Handing {
    async fn new(app: &TestApp) -> Self {
        let trade = Trade::new(app).await;
        let (cleo, rex, cal) = (app.person("cleo").await, app.person("rex").await, app.person("cal").await);
        cleo.post("/api/v1/organizations", json!({"name": "Cirrus"})).await.expect(201);
        let member = |person: &Person, role: &str| json!({"email": person.user.email, "role": role});
        let members = json!({"members": [member(&rex, "reviewer"), member(&cal, "viewer")]});
        cleo.post("/api/v1/organizations/cirrus/members", members).await.expect(200);
        Self { trade, cleo, rex, cal }
    }

    /// A service of Borealis with an application of its own; answers the ids of both.
    async fn service(&self, name: &str, visibility: &str) -> (String, String) {
        let pia = &self.trade.pia;
        let application = json!({"name": format!("Engine of {name}"), "organization": "borealis"});
        let application = id(&pia.post("/api/v1/applications", application).await.expect(201));
        let new = json!({"application": application, "name": name, "summary": "Reads", "description": "Reads data",
            "categories": ["energy"], "visibility": visibility, "contract": {"level": "organization", "permissions": ["resources:read"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "10"}]}});
        (id(&pia.post("/api/v1/organizations/borealis/services", new).await.expect(201)), application)
    }

    async fn published(&self, name: &str) -> (String, String) {
        let (service, application) = self.service(name, "public").await;
        self.trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        (service, application)
    }

    async fn offer(&self, service: &str) -> Answer {
        self.trade.pia.post(&format!("/api/v1/services/{service}/handovers"), json!({"organization": "cirrus"})).await
    }

    /// An offer to Cirrus; answers its id.
    async fn offered(&self, service: &str) -> String {
        id(&self.offer(service).await.expect(201))
    }
}

async fn answer_with(who: &Client, handover: &str, verb: &str) -> Answer {
    who.post(&format!("/api/v1/handovers/{handover}/{verb}"), json!({})).await
}

async fn provider_of(who: &Client, service: &str) -> String {
    who.get(&format!("/api/v1/services/{service}")).await.expect(200)["provider"]["handle"].as_str().unwrap().to_owned()
}

fn pointers(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().unwrap().iter().map(|error| error["pointer"].as_str().unwrap()).collect()
}

/// Another node: its own index and connections over the same database.
async fn node(app: &TestApp) -> Stoa {
    let db = Db::open(&app.database().url).await.unwrap();
    Stoa { access: Access::new(db.clone()), db, ..app.stoa.clone() }
}

api_tests! {
    async fn a_service_goes_over_in_two_steps_with_all_that_is_its_own(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (trade, pia, cleo) = (&handing.trade, &handing.trade.pia, &handing.cleo);
        let (service, application) = handing.service("Forecast", "on_request").await;
        let url = format!("/api/v1/services/{service}");
        pia.send(pia.request(Method::PUT, &format!("{url}/icon")).body(png(128, 128, 1))).await.expect(200);
        pia.put(&format!("{url}/audience/grid"), json!({})).await.expect(204);
        pia.post(&format!("{url}/publish"), json!({})).await.expect(200);
        for share in ["organizations/borealis"] {
            pia.put(&format!("/api/v1/applications/{application}/shares/{share}"), json!({})).await.expect(204);
        }
        let asked = trade.subscribe(&trade.mia, &service, all()).await.expect(201);
        decide(&trade.pat, &id(&asked["request"]), "approve").await.expect(200);
        let subscription = id(&asked);
        // Another organization only asked yet.
        trade.sam.post("/api/v1/organizations", json!({"name": "Delta"})).await.expect(201);
        let body = json!({"service": service, "projects": all(), "accept_terms": true});
        let waiting = trade.sam.post("/api/v1/organizations/delta/subscriptions", body).await.expect(201);
        let request = id(&waiting["request"]);
        let before = trade.read(&subscription).await;

        let note = json!({"organization": "cirrus", "note": "You run the meters anyway.", "days": 7});
        let offered = pia.post(&format!("{url}/handovers"), note).await.expect(201);
        assert_eq!((&offered["state"], &offered["from"]["handle"], &offered["to"]["name"]), (&json!("open"), &json!("borealis"), &json!("Cirrus")));
        assert!(offered["expires_at"].as_str().unwrap().starts_with("2026-03-17T12:00:00"), "{offered}");
        let brings = json!({"application": {"id": application, "name": "Engine of Forecast"}, "subscribers": 1, "subscriptions": 1,
            "requests": 1, "contracts": 1, "audience": 1});
        assert_eq!(offered["brings"], brings);
        let handover = id(&offered);
        // Both sides read it, each in its list; nothing has changed.
        assert_eq!(handing.cal.get("/api/v1/organizations/cirrus/handovers?direction=incoming").await.expect(200)["items"][0], offered);
        assert_eq!(trade.pol.get("/api/v1/organizations/borealis/handovers?direction=outgoing&state=open").await.expect(200)["items"][0], offered);
        assert_eq!(trade.pol.get(&format!("{url}/handovers")).await.expect(200)["items"][0], offered);
        assert_eq!(handing.cal.get("/api/v1/organizations/cirrus/handovers?direction=outgoing").await.expect(200)["items"], json!([]));
        assert_eq!(handing.cal.get(&format!("/api/v1/handovers/{handover}")).await.expect(200), offered);
        trade.mia.get(&format!("/api/v1/handovers/{handover}")).await.expect_problem(404, "not_found");
        assert_eq!(provider_of(&trade.mia, &service).await, "borealis");
        app.write_mails().await;
        let told: Vec<_> = app.mails().await.into_iter().filter(|mail| mail.rendered.subject == "Forecast is offered to Cirrus").collect();
        assert_eq!(told.iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["cleo@people.example"]);
        assert!(told[0].rendered.text.contains("You run the meters anyway.") && told[0].rendered.text.contains("17 March 2026"), "{}", told[0].rendered.text);
        assert!(told[0].rendered.text.contains(&format!("/organizations/cirrus/handovers/{handover}")), "{}", told[0].rendered.text);

        app.clock.advance(SECOND);
        let accepted = answer_with(cleo, &handover, "accept").await.expect(200);
        assert_eq!((&accepted["state"], &accepted["decided_by"]["name"], &accepted["brings"]), (&json!("accepted"), &json!("cleo"), &Value::Null));

        // Cirrus provides it: it and nobody else sees its subscribers, and its reviewers decide.
        let details = cleo.get(&url).await.expect(200);
        assert_eq!((&details["provider"]["handle"], &details["state"], &details["handle"]), (&json!("cirrus"), &json!("published"), &json!("forecast")));
        assert_eq!(cleo.get(&format!("{url}/subscriptions?state=active")).await.expect(200)["items"][0]["id"], subscription.as_str());
        assert_eq!(cleo.get(&format!("{url}/contracts")).await.expect(200)["items"].as_array().unwrap().len(), 1);
        assert_eq!(names(&cleo.get(&format!("{url}/audience")).await.expect(200)["items"]), ["Grid"]);
        assert_eq!(cleo.get(details["icon"].as_str().unwrap()).await.status, 200);
        assert_eq!(pia.get("/api/v1/organizations/borealis/services").await.expect(200)["items"], json!([]));
        for gone in [format!("{url}/subscriptions"), format!("{url}/contracts"), format!("{url}/handovers"), format!("{url}/audience")] {
            pia.get(&gone).await.expect_problem(if gone.ends_with("/subscriptions") { 404 } else { 403 }, if gone.ends_with("/subscriptions") { "not_found" } else { "forbidden" });
        }
        pia.patch(&url, json!({"summary": "Mine"})).await.expect_problem(403, "forbidden");
        decide(&trade.pat, &request, "approve").await.expect_problem(404, "not_found");
        assert_eq!(handing.rex.get("/api/v1/requests?as=approver&state=open").await.expect(200)["items"][0]["id"], request.as_str());
        decide(&handing.rex, &request, "approve").await.expect(200);
        pia.get(&format!("/api/v1/applications/{application}")).await.expect_problem(404, "not_found");
        let taken = cleo.get(&format!("/api/v1/applications/{application}")).await.expect(200);
        assert_eq!((&taken["owner"]["handle"], &taken["shares"]), (&json!("cirrus"), &json!([])));

        // For its subscriber nothing changed but who provides it.
        let mut after = trade.read(&subscription).await;
        assert_eq!(after["provider"]["handle"], "cirrus");
        after["provider"] = before["provider"].clone();
        let own = |read: &Value| { let mut read = read.clone(); read.as_object_mut().unwrap().remove("requests"); read };
        assert_eq!(own(&after), own(&before));
        let consents = trade.vic.get(&format!("/api/v1/organizations/grid/subscriptions/{subscription}/consents")).await.expect(200);
        let consent = id(&consents["items"][0]);
        trade.vic.get(&format!("/api/v1/organizations/grid/subscriptions/{subscription}/consents/{consent}")).await.expect(200);
        let found = trade.vic.get("/api/v1/marketplace?q=cirrus").await.expect(200);
        assert_eq!((names(&found["items"]), &found["items"][0]["provider"]["handle"]), (vec!["Forecast"], &json!("cirrus")));
        assert_eq!(trade.vic.get("/api/v1/marketplace?q=borealis").await.expect(200)["total"], 0);

        // Each log tells it, without what is between the two sides.
        let said = events(&trade.vic, "grid", "service.handed_over").await;
        let between = json!({"id": details["provider"]["id"], "name": "Cirrus"});
        assert_eq!((said.len(), &said[0]["data"]["to"], said[0]["data"].get("subscriptions"), said[0]["data"].get("note")), (1, &between, None, None));
        assert_eq!(events(&trade.sam, "delta", "service.handed_over").await.len(), 1);
        for (who, organization) in [(&trade.pol, "borealis"), (&handing.cal, "cirrus")] {
            let said = events(who, organization, "service.handed_over").await;
            assert_eq!((&said[0]["data"]["subscriptions"], &said[0]["data"]["application"]["id"], &said[0]["data"]["offered_by"]), (&json!(1), &json!(application), &json!(pia.id())));
            assert_eq!(events(who, organization, "application.transferred").await[0]["data"]["cause"], "handed_over");
            assert_eq!(events(who, organization, "handover.offered").await[0]["data"]["note"], "You run the meters anyway.");
        }
        app.write_mails().await;
        let mails = app.mails().await;
        let told: Vec<_> = mails.iter().filter(|mail| mail.rendered.subject == "Cirrus provides Forecast now").map(|mail| (mail.to.as_str(), &mail.rendered.text)).collect();
        assert_eq!(told.iter().map(|(to, _)| *to).collect::<std::collections::BTreeSet<_>>(), ["mia@people.example", "pia@people.example", "sam@people.example"].into());
        let to_mia = told.iter().find(|(to, _)| *to == "mia@people.example").unwrap().1;
        assert!(to_mia.contains("Your subscription, its price, the data it may use and your costs stay as they are"), "{to_mia}");
    }

    async fn tokens_usage_and_costs_go_on_across_the_hand_over_on_every_node(app: &TestApp) {
        let world = usage::World::new(app, usage::plan()).await;
        let cleo = app.person("cleo").await;
        cleo.post("/api/v1/organizations", json!({"name": "Cirrus"})).await.expect(201);
        let service = id(&world.service);
        app.clock.set("2026-03-11T13:00:00Z");
        world.report(json!([world.event("1", "north", "storage", "9", "2026-03-10T12:00:00Z")])).await.expect(200);
        let resource = format!("{}/subscriptions/{}", app.url, world.subscription);
        let read = world.ada.get(&format!("/api/v1/organizations/grid/subscriptions/{}", world.subscription)).await.expect(200);
        let resource = read["resource"].as_str().map_or(resource, str::to_owned);
        let north = id(&world.ada.get("/api/v1/organizations/grid/projects/north").await.expect(200));
        let text = usage::token(&app.anonymous(), &world.application, &world.secret, Some(resource.clone())).await;
        let token = Secret::read(&text).unwrap().hash();
        let here = app.anonymous().with_token(&text);
        let gate = format!("/gateway/authorize?project={north}&permission=resources:read");
        let other = node(app).await;
        let mut now = app.stoa.clock.now();
        let mut on_other = async || {
            now = now.plus(SECOND / 4);
            other.access.poll_once(now).await.unwrap();
            match other.access.look_up(token, now).await.unwrap() {
                Ok(live) => {
                    let provider = live.subscription.as_ref().unwrap().provider.to_string();
                    (live.decide(&ProjectRef::read(&north), DataPermission::ResourcesRead).reason, provider)
                }
                Err(reason) => (reason, String::new()),
            }
        };
        app.stoa.access.poll_once(app.stoa.clock.now()).await.unwrap();
        assert_eq!(here.get(&gate).await.status, 200);
        assert_eq!(on_other().await.0, Reason::Granted);
        let before = world.ada.get("/api/v1/organizations/grid/costs").await.expect(200);

        let handover = id(&world.bob.post(&format!("/api/v1/services/{service}/handovers"), json!({"organization": "cirrus"})).await.expect(201));
        answer_with(&cleo, &handover, "accept").await.expect(200);
        // The same token goes on here and there, with a warm index and with a cold one; so does the secret.
        assert_eq!(here.get(&gate).await.status, 200);
        let cirrus = id(&cleo.get("/api/v1/organizations/cirrus").await.expect(200));
        assert_eq!(on_other().await, (Reason::Granted, cirrus));
        usage::token(&app.anonymous(), &world.application, &world.secret, Some(resource)).await;
        let after = world.ada.get("/api/v1/organizations/grid/costs").await.expect(200);
        assert_eq!(after["items"], before["items"], "costs are what they were");
        // Reported again what was reported, something late, and something new: the tiers go on where they were.
        let batch = json!([
            world.event("1", "north", "storage", "9", "2026-03-10T12:00:00Z"),
            world.event("2", "south", "storage", "3", "2026-03-11T12:00:00Z"),
        ]);
        let reported = world.report(batch).await.expect(200);
        assert_eq!((&reported["accepted"], &reported["duplicates"]), (&json!(1), &json!(1)));
        let costs = world.ada.get("/api/v1/organizations/grid/costs?group_by=component").await.expect(200);
        let storage = costs["items"].as_array().unwrap().iter().find(|item| item["component"].as_str().unwrap().contains("storage")).unwrap();
        assert_eq!(storage["cost"], "11", "ten at 1 and two at 0.5");
        let map = world.ada.get("/api/v1/organizations/grid/grants").await.expect(200);
        assert_eq!(map["items"][0]["provider"]["handle"], "cirrus");
        let own = usage::token(&app.anonymous(), &world.application, &world.secret, None).await;
        let listed = app.anonymous().with_token(&own).get(&format!("/api/v1/services/{service}/subscriptions")).await.expect(200);
        assert_eq!(listed["items"][0]["id"], world.subscription.as_str(), "the service itself still knows whom it serves");
        // Whose the application is now decides: what Cirrus revokes closes everywhere.
        let secrets = cleo.get(&format!("/api/v1/applications/{}", world.application)).await.expect(200)["secrets"].clone();
        let secret = id(&secrets[0]);
        world.bob.delete(&format!("/api/v1/applications/{}/secrets/{secret}", world.application)).await.expect_problem(404, "not_found");
        cleo.delete(&format!("/api/v1/applications/{}/secrets/{secret}", world.application)).await.expect(204);
        here.get(&gate).await.expect_problem(401, "unauthenticated");
        assert_eq!(on_other().await.0, Reason::UnknownToken);
        app.write_mails().await;
        app.mails().await;
    }

    async fn only_maintainers_of_each_side_take_its_steps(app: &TestApp) {
        let handing = Handing::new(app).await;
        let trade = &handing.trade;
        let (service, _) = handing.service("Forecast", "private").await;
        let path = format!("/api/v1/services/{service}/handovers");
        let body = || json!({"organization": "cirrus"});
        app.anonymous().post(&path, body()).await.expect_problem(401, "unauthenticated");
        trade.mia.post(&path, body()).await.expect_problem(404, "not_found");
        handing.cleo.post(&path, body()).await.expect_problem(404, "not_found");
        for who in [&trade.pat, &trade.pol] {
            let problem = who.post(&path, body()).await.expect_problem(403, "forbidden");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("hand a service over to another organization") && detail.ends_with("a maintainer may"), "{detail}");
        }
        let handover = handing.offered(&service).await;
        for verb in ["accept", "decline", "withdraw"] {
            answer_with(&app.anonymous(), &handover, verb).await.expect_problem(401, "unauthenticated");
            answer_with(&trade.mia, &handover, verb).await.expect_problem(404, "not_found");
            for who in [&handing.rex, &handing.cal, &trade.pat, &trade.pol] {
                answer_with(who, &handover, verb).await.expect_problem(403, "forbidden");
            }
        }
        for verb in ["accept", "decline"] {
            let problem = answer_with(&trade.pia, &handover, verb).await.expect_problem(403, "forbidden");
            assert_eq!(problem["detail"], format!("only a maintainer of Cirrus may {verb} it"));
        }
        let problem = answer_with(&handing.cleo, &handover, "withdraw").await.expect_problem(403, "forbidden");
        assert_eq!(problem["detail"], "only a maintainer of Borealis may take it back");
        answer_with(&handing.cleo, "hov_01h455vb4pex5vsknk084sn02q", "accept").await.expect_problem(404, "not_found");
        // A private service becomes invisible to whoever gave it away.
        answer_with(&handing.cleo, &handover, "accept").await.expect(200);
        trade.pia.get(&format!("/api/v1/services/{service}")).await.expect_problem(404, "not_found");
        trade.pia.get(&path).await.expect_problem(404, "not_found");
        assert_eq!(trade.pol.get(&format!("/api/v1/handovers/{handover}")).await.expect(200)["state"], "accepted");
        assert_eq!(handing.cal.get(&path).await.expect(200)["items"][0]["id"], handover.as_str());
    }

    async fn what_does_not_fit_is_refused_with_what_to_do(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (pia, trade) = (&handing.trade.pia, &handing.trade);
        let (service, application) = handing.published("Forecast").await;
        let path = format!("/api/v1/services/{service}/handovers");
        for (body, pointer) in [
            (json!({}), "/organization"),
            (json!({"organization": "nobody"}), "/organization"),
            (json!({"organization": "borealis"}), "/organization"),
            (json!({"organization": "cirrus", "days": 0}), "/days"),
            (json!({"organization": "cirrus", "days": 91}), "/days"),
            (json!({"organization": "cirrus", "note": "x".repeat(2_001)}), "/note"),
            (json!({"organization": "cirrus", "days": "soon"}), "/days"),
        ] {
            let problem = pia.post(&path, body).await.expect_problem(422, "invalid");
            assert_eq!(pointers(&problem), [pointer]);
        }
        for (query, pointer) in [("direction=sideways", "/direction"), ("state=lost", "/state"), ("limit=0", "/limit"), ("cursor=x", "/cursor")] {
            let problem = pia.get(&format!("/api/v1/organizations/borealis/handovers?{query}")).await.expect_problem(422, "invalid");
            assert_eq!(pointers(&problem), [pointer]);
        }
        // Another service needs its application: only until that one is retired.
        let mut other = json!({"application": application, "name": "Archive", "summary": "Keeps", "description": "Keeps data", "categories": [],
            "visibility": "public", "contract": {"level": "organization", "permissions": ["resources:read"], "plans": [{"name": "Basic", "currency": "EUR"}]}});
        let archive = id(&pia.post("/api/v1/organizations/borealis/services", other.clone()).await.expect(201));
        let problem = handing.offer(&service).await.expect_problem(409, "application_in_use");
        assert!(problem["detail"].as_str().unwrap().contains("Archive signs in with the same application, Engine of Forecast"), "{problem}");
        pia.post(&format!("/api/v1/services/{archive}/retire"), json!({})).await.expect(200);
        let handover = handing.offered(&service).await;
        let problem = handing.offer(&service).await.expect_problem(409, "handover_open");
        assert!(problem["detail"].as_str().unwrap().contains("offered to Cirrus already"), "{problem}");
        // What comes in the way meanwhile is found by the acceptance.
        other["name"] = json!("Attic");
        let attic = id(&pia.post("/api/v1/organizations/borealis/services", other).await.expect(201));
        answer_with(&handing.cleo, &handover, "accept").await.expect_problem(409, "application_in_use");
        pia.post(&format!("/api/v1/services/{attic}/retire"), json!({})).await.expect(200);
        let operator = app.operator("opa").await;
        operator.post("/api/v1/operator/services/forecast/suspend", json!({"reason": "reads too much"})).await.expect(200);
        answer_with(&handing.cleo, &handover, "accept").await.expect_problem(409, "wrong_state");
        operator.post("/api/v1/operator/services/forecast/unsuspend", json!({})).await.expect(200);
        for suspended in ["cirrus", "borealis"] {
            let set = format!("/api/v1/operator/organizations/{suspended}");
            operator.post(&format!("{set}/suspend"), json!({"reason": "unpaid"})).await.expect(204);
            let problem = answer_with(&handing.cleo, &handover, "accept").await.expect_problem(409, "organization_suspended");
            assert_eq!(problem["detail"].as_str().unwrap().contains("unpaid"), suspended == "cirrus", "why is told to its own members only");
            operator.post(&format!("{set}/unsuspend"), json!({})).await.expect(204);
        }
        answer_with(&trade.pia, &handover, "withdraw").await.expect(200);
        operator.post("/api/v1/operator/organizations/cirrus/suspend", json!({"reason": "unpaid"})).await.expect(204);
        let problem = handing.offer(&service).await.expect_problem(409, "organization_suspended");
        assert!(!problem["detail"].as_str().unwrap().contains("unpaid"), "{problem}");
        operator.post("/api/v1/operator/organizations/cirrus/unsuspend", json!({})).await.expect(204);
        handing.offer(&archive).await.expect_problem(409, "wrong_state");
        // A person's application.
        let mut tx = app.stoa.db.begin().await.unwrap();
        let sql = "update applications set organization_id = null, user_id = $2 where id = $1";
        let values = stoa_store::params![application.parse::<stoa_domain::ids::ApplicationId>().unwrap(), pia.id()].to_vec();
        tx.execute(sql, &values).await.unwrap();
        tx.commit().await.unwrap();
        handing.offer(&service).await.expect_problem(409, "application_not_owned");
        app.write_mails().await;
        app.mails().await;
    }

    async fn an_offer_is_declined_taken_back_or_expires_and_can_be_made_again(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (service, _) = handing.published("Forecast").await;
        app.write_mails().await;
        app.mails().await;
        for (verb, who, state, kind, told) in [
            ("decline", &handing.cleo, "declined", "handover.declined", "pia@people.example"),
            ("withdraw", &handing.trade.pia, "withdrawn", "handover.withdrawn", "cleo@people.example"),
        ] {
            let handover = handing.offered(&service).await;
            app.write_mails().await;
            app.mail_to("cleo@people.example").await;
            assert_eq!(answer_with(who, &handover, verb).await.expect(200)["state"], state);
            for again in ["accept", "decline"] {
                let problem = answer_with(&handing.cleo, &handover, again).await.expect_problem(409, "handover_closed");
                let detail = problem["detail"].as_str().unwrap();
                assert!(detail.contains(if verb == "withdraw" { "already taken back, by pia" } else { "already declined, by cleo" }), "{detail}");
            }
            answer_with(&handing.trade.pia, &handover, "withdraw").await.expect_problem(409, "handover_closed");
            assert_eq!(events(&handing.cal, "cirrus", kind).await.len(), 1);
            assert_eq!(events(&handing.trade.pol, "borealis", kind).await.len(), 1);
            app.write_mails().await;
            app.mail_to(told).await;
        }
        let handover = handing.offered(&service).await;
        app.write_mails().await;
        app.mail_to("cleo@people.example").await;
        app.clock.advance(14 * DAY);
        let (pia, cleo) = (app.token_of(&handing.trade.pia.user).await, app.token_of(&handing.cleo.user).await);
        answer_with(&cleo, &handover, "accept").await.expect_problem(409, "handover_expired");
        answer_with(&pia, &handover, "withdraw").await.expect_problem(409, "handover_expired");
        // A new offer closes the one whose time is over, if the job was not there yet; then the job finds nothing.
        let body = json!({"organization": "cirrus", "days": 1});
        let next = id(&pia.post(&format!("/api/v1/services/{service}/handovers"), body).await.expect(201));
        assert_eq!(jobs::tick(&app.stoa, app.stoa.clock.now()).await.unwrap().handovers, 0);
        app.clock.advance(DAY);
        let other = node(app).await;
        let now = app.stoa.clock.now();
        let (one, two) = tokio::join!(jobs::tick(&app.stoa, now), jobs::tick(&other, now));
        assert_eq!(one.unwrap().handovers + two.unwrap().handovers, 1, "two nodes write it once");
        let read = cleo.get(&format!("/api/v1/handovers/{next}")).await.expect(200);
        assert_eq!((&read["state"], &read["decided_by"]), (&json!("expired"), &Value::Null));
        let expired = cleo.get("/api/v1/organizations/cirrus/events?type=handover.expired").await.expect(200);
        assert_eq!(expired["items"].as_array().unwrap().len(), 2);
        assert_eq!(expired["items"][1]["actor"]["kind"], "system");
        app.write_mails().await;
        let told: Vec<_> = app.mails().await.into_iter().filter(|mail| mail.rendered.subject.contains("has expired")).map(|mail| mail.to).collect();
        let mut told = told;
        told.sort();
        // Who offered anew closed the first one and knows it.
        assert_eq!(told, ["cleo@people.example", "cleo@people.example", "pia@people.example"]);
    }

    async fn drafts_and_the_receivers_own_subscription_go_along_and_one_person_may_do_both_steps(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (trade, cleo) = (&handing.trade, &handing.cleo);
        let (draft, _) = handing.service("Draft", "public").await;
        let handover = handing.offered(&draft).await;
        answer_with(cleo, &handover, "accept").await.expect(200);
        assert_eq!(cleo.get(&format!("/api/v1/services/{draft}")).await.expect(200)["state"], "draft");
        cleo.post(&format!("/api/v1/services/{draft}/publish"), json!({})).await.expect(200);

        let (service, _) = handing.published("Forecast").await;
        let body = json!({"service": service, "projects": all(), "accept_terms": true});
        let own = id(&cleo.post("/api/v1/organizations/cirrus/subscriptions", body).await.expect(201));
        trade.active(&service, all()).await;
        trade.pia.post(&format!("/api/v1/services/{service}/deprecate"), json!({"date": "2026-09-30"})).await.expect(200);
        let handover = handing.offered(&service).await;
        answer_with(cleo, &handover, "accept").await.expect(200);
        let read = cleo.get(&format!("/api/v1/organizations/cirrus/subscriptions/{own}")).await.expect(200);
        assert_eq!((&read["state"], &read["provider"]["handle"]), (&json!("active"), &json!("cirrus")));
        let service_read = cleo.get(&format!("/api/v1/services/{service}")).await.expect(200);
        assert_eq!((&service_read["state"], &service_read["deprecation"]["date"]), (&json!("deprecated"), &json!("2026-09-30")));
        assert_eq!(events(cleo, "cirrus", "service.handed_over").await.len(), 2, "once in each log, also of one that subscribes it");

        // Back again, by somebody who maintains both.
        let members = json!({"members": [{"email": cleo.user.email, "role": "maintainer"}]});
        trade.pia.post("/api/v1/organizations/borealis/members", members).await.expect(200);
        let body = json!({"organization": "borealis"});
        let back = id(&cleo.post(&format!("/api/v1/services/{service}/handovers"), body).await.expect(201));
        let done = answer_with(cleo, &back, "accept").await.expect(200);
        assert_eq!((&done["offered_by"]["id"], &done["decided_by"]["id"]), (&json!(cleo.id()), &json!(cleo.id())));
        assert_eq!(provider_of(&trade.pia, &service).await, "borealis");
        assert_eq!(cleo.get(&format!("/api/v1/services/{service}/handovers")).await.expect(200)["items"].as_array().unwrap().len(), 2);
        app.write_mails().await;
        app.mails().await;
    }

    async fn what_waits_for_a_publication_is_closed_and_review_comes_first(app: &TestApp) {
        let reviewed = TestApp::start_with(app.database().fresh().await, Setup { review_services: true, ..Setup::default() }).await;
        let handing = Handing::new(&reviewed).await;
        let trade = &handing.trade;
        let (service, _) = handing.service("Forecast", "public").await;
        let eve = reviewed.person("eve").await;
        let members = json!({"members": [{"email": eve.user.email, "role": "editor"}]});
        trade.pia.post("/api/v1/organizations/borealis/members", members).await.expect(200);
        eve.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(202);
        let handover = handing.offered(&service).await;
        answer_with(&handing.cleo, &handover, "accept").await.expect(200);
        let requests = trade.pol.get("/api/v1/organizations/borealis/requests?state=withdrawn").await.expect(200);
        assert_eq!(requests["items"][0]["kind"], "publish", "nobody is left who could decide it");
        handing.cleo.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(202);
        let body = json!({"organization": "borealis"});
        let problem = handing.cleo.post(&format!("/api/v1/services/{service}/handovers"), body.clone()).await.expect_problem(409, "wrong_state");
        assert!(problem["detail"].as_str().unwrap().contains("taken back from review"), "{problem}");
        let operator = reviewed.operator("opa").await;
        operator.post("/api/v1/operator/services/forecast/approve", json!({})).await.expect(200);
        handing.cleo.post(&format!("/api/v1/services/{service}/handovers"), body).await.expect(201);
        reviewed.write_mails().await;
        reviewed.mails().await;
        reviewed.finish().await;
    }

    async fn deleting_either_side_closes_what_waits(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (trade, cleo) = (&handing.trade, &handing.cleo);
        let (first, _) = handing.published("First").await;
        let (second, _) = handing.published("Second").await;
        let handover = handing.offered(&first).await;
        cleo.delete("/api/v1/organizations/cirrus?confirm=Cirrus").await.expect(204);
        let read = trade.pia.get(&format!("/api/v1/handovers/{handover}")).await.expect(200);
        assert_eq!((&read["state"], &read["decided_by"]["name"]), (&json!("declined"), &json!("cleo")));
        assert_eq!(events(&trade.pol, "borealis", "handover.declined").await[0]["data"]["cause"], "organization_deleted");
        let problem = handing.offer(&first).await.expect_problem(422, "invalid");
        assert_eq!(pointers(&problem), ["/organization"]);
        let body = json!({"organization": "grid"});
        let handover = id(&trade.pia.post(&format!("/api/v1/services/{second}/handovers"), body).await.expect(201));
        trade.pia.delete("/api/v1/organizations/borealis?confirm=Borealis").await.expect(204);
        answer_with(&trade.mia, &handover, "accept").await.expect_problem(409, "handover_closed");
        assert_eq!(trade.vic.get(&format!("/api/v1/handovers/{handover}")).await.expect(200)["state"], "withdrawn");
        app.write_mails().await;
        app.mails().await;
    }

    async fn of_two_answers_at_the_same_moment_one_wins_and_the_other_is_told_why(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (pia, cleo) = (&handing.trade.pia, &handing.cleo);
        for round in 0..6 {
            let (service, _) = handing.published(&format!("Forecast {round}")).await;
            handing.trade.active(&service, all()).await;
            let handover = handing.offered(&service).await;
            let (one, two) = match round % 2 {
                0 => tokio::join!(answer_with(cleo, &handover, "accept"), answer_with(pia, &handover, "withdraw")),
                _ => tokio::join!(answer_with(cleo, &handover, "accept"), answer_with(cleo, &handover, "accept")),
            };
            let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
            let state = won.expect(200)["state"].as_str().unwrap().to_owned();
            let problem = lost.expect_problem(409, "handover_closed");
            let what = if state == "accepted" { "already accepted, by cleo" } else { "already taken back, by pia" };
            assert!(problem["detail"].as_str().unwrap().contains(what), "{problem}");
            let due = if state == "accepted" { "cirrus" } else { "borealis" };
            assert_eq!(provider_of(pia, &service).await, due);
            for (who, organization) in [(&handing.cal, "cirrus"), (&handing.trade.vic, "grid")] {
                let said = events(who, organization, "service.handed_over").await;
                let said = said.iter().filter(|event| event["subject"]["id"] == service.as_str()).count();
                assert_eq!(said, usize::from(state == "accepted"));
            }
        }
        app.write_mails().await;
        app.mails().await;
    }

    async fn an_acceptance_sent_twice_under_one_key_is_answered_twice_and_done_once(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (service, _) = handing.published("Forecast").await;
        let handover = handing.offered(&service).await;
        let send = async || {
            let request = handing.cleo.request(Method::POST, &format!("/api/v1/handovers/{handover}/accept"));
            handing.cleo.send(request.header("idempotency-key", "once").json(&json!({}))).await
        };
        let first = send().await;
        let second = send().await;
        assert_eq!(second.header("idempotency-replayed"), "true");
        assert_eq!(first.expect(200), second.expect(200));
        assert_eq!(events(&handing.cal, "cirrus", "service.handed_over").await.len(), 1);
    }

    async fn whoever_subscribes_reports_or_changes_at_that_moment_ends_up_with_the_new_provider(app: &TestApp) {
        let handing = Handing::new(app).await;
        let (trade, pia, cleo) = (&handing.trade, &handing.trade.pia, &handing.cleo);
        // Sent again where the answer says that somebody was in the way.
        let again = async |who: &Person, method: Method, path: &str, body: Value| loop {
            let answer = who.send(who.request(method.clone(), path).json(&body)).await;
            if answer.status != 503 {
                return answer;
            }
        };
        for round in 0..4 {
            let (service, application) = handing.published(&format!("Forecast {round}")).await;
            let handover = handing.offered(&service).await;
            let (accept, subscribe) = (format!("/api/v1/handovers/{handover}/accept"), "/api/v1/organizations/grid/subscriptions");
            let body = json!({"service": service, "projects": all(), "accept_terms": true});
            let change = format!("/api/v1/services/{service}");
            let secrets = format!("/api/v1/applications/{application}/secrets");
            let (accepted, subscribed, changed, secret) = tokio::join!(
                again(cleo, Method::POST, &accept, json!({})),
                again(&trade.mia, Method::POST, subscribe, body),
                again(pia, Method::PATCH, &change, json!({"summary": "Changed"})),
                again(pia, Method::POST, &secrets, json!({})),
            );
            accepted.expect(200);
            let subscription = id(&subscribed.expect(201));
            assert!([200, 403].contains(&changed.status), "{changed:?}");
            assert!([201, 404].contains(&secret.status), "{secret:?}");
            let read = cleo.get(&change).await.expect(200);
            assert_eq!((&read["provider"]["handle"], read["summary"] == "Changed"), (&json!("cirrus"), changed.status == 200));
            let listed = cleo.get(&format!("{change}/subscriptions")).await.expect(200);
            assert_eq!(listed["items"][0]["id"], subscription.as_str());
            let known = cleo.get(&format!("/api/v1/applications/{application}")).await.expect(200);
            assert_eq!(known["secrets"].as_array().unwrap().len(), usize::from(secret.status == 201));
            trade.cancel(&trade.mia, &subscription).await.expect(200);
        }
        app.write_mails().await;
        app.mails().await;
    }
}
