//! Decisions: the gateway, AuthZEN, and how soon a change closes what it closes, here and on other nodes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use reqwest::Method;
use serde_json::{Value, json};
use stoa_access::{Access, ProjectRef};
use stoa_actions::Stoa;
use stoa_domain::{
    access::Reason,
    ids::ProjectId,
    organizations::Key,
    secrets::{Secret, SecretHash},
    services::DataPermission,
    time::{HOUR, SECOND, Ts},
};
use stoa_store::Db;
use stoa_testkit::{Answer, Client, Person, TestApp, api_tests};

use crate::world::World;

fn gate(project: &impl ToString, permission: &str) -> String {
    format!("/gateway/authorize?project={}&permission={permission}", project.to_string())
}

fn question(subject: (&str, &str), action: &str, resource: (&str, &str)) -> Value {
    json!({
        "subject": {"type": subject.0, "id": subject.1},
        "action": {"name": action},
        "resource": {"type": resource.0, "id": resource.1},
    })
}

async fn decide(client: &Client, question: Value) -> (bool, String) {
    let answer = client.post("/access/v1/evaluation", question).await.expect(200);
    (answer["decision"].as_bool().unwrap(), answer["context"]["reason"].as_str().unwrap().to_owned())
}

async fn follow(stoa: &Stoa) {
    stoa.access.poll_once(stoa.clock.now()).await.unwrap();
}

fn hash(token: &str) -> SecretHash {
    Secret::read(token).unwrap().hash()
}

/// What an index says of a token and a project.
async fn reason(access: &Access, token: SecretHash, project: ProjectId, now: Ts) -> Reason {
    match access.look_up(token, now).await.unwrap() {
        Ok(live) => live.decide(&ProjectRef { organization: None, project: Key::Id(project) }, DataPermission::ResourcesRead).reason,
        Err(reason) => reason,
    }
}

/// Another node: its own index and connections over the same database.
async fn node(app: &TestApp) -> Stoa {
    let db = Db::open(&app.database().url).await.unwrap();
    Stoa { access: Access::new(db.clone()), db, ..app.stoa.clone() }
}

/// Makes a person a member of the consumer.
async fn member(world: &World, app: &TestApp, name: &str, role: &str) -> Person {
    let person = app.person(name).await;
    let body = json!({"members": [{"email": person.user.email, "role": role}]});
    world.ada.post("/api/v1/organizations/grid-works/members", body).await.expect(200);
    person
}

#[track_caller]
fn invalid_token(answer: Answer) {
    assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{answer:?}");
    answer.expect_problem(401, "unauthenticated");
}

api_tests! {
    async fn the_gateway_lets_a_service_into_granted_projects_only(app: &TestApp) {
        let world = World::new(app).await;
        let service = world.service(app, "resources:read").await;
        let passed = service.get(&gate(&world.north, "resources:read")).await;
        assert_eq!(passed.status, 200, "{passed:?}");
        for (header, value) in [
            ("x-stoa-organization", world.consumer.to_string()),
            ("x-stoa-subscription", world.subscription.to_string()),
            ("x-stoa-service", world.service.to_string()),
            ("x-stoa-project", world.north.to_string()),
            ("x-stoa-user", String::new()),
        ] {
            assert_eq!(passed.header(header), value, "{header}");
        }
        let by_handle = service.get(&gate(&"south", "resources:read")).await;
        assert_eq!(by_handle.header("x-stoa-project"), world.south.to_string());

        let refused = service.get(&gate(&world.west, "resources:read")).await;
        assert_eq!(refused.header("x-stoa-reason"), "not_granted");
        refused.expect_problem(403, "forbidden");
        let narrow = service.get(&gate(&world.north, "resources:write")).await;
        assert_eq!(narrow.header("www-authenticate"), "Bearer error=\"insufficient_scope\"");
        assert_eq!(narrow.header("x-stoa-reason"), "permission_not_in_scope");
        narrow.expect_problem(403, "insufficient_scope");
        service.get(&format!("{}&organization=forecasters", gate(&world.north, "resources:read"))).await.expect_problem(403, "forbidden");
        service.get(&gate(&"nothing", "resources:read")).await.expect_problem(403, "forbidden");
        service.get(&gate(&world.north, "everything")).await.expect_problem(422, "invalid");
        service.get("/gateway/authorize?permission=resources:read").await.expect_problem(422, "invalid");
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            let answer = service.send(service.request(method, &gate(&world.north, "resources:read"))).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        app.anonymous().get(&gate(&world.north, "resources:read")).await.expect_problem(401, "unauthenticated");
        invalid_token(app.anonymous().with_token("stoa_at_nonsense").get(&gate(&world.north, "resources:read")).await);
    }

    async fn the_gateway_lets_people_in_by_their_role(app: &TestApp) {
        let world = World::new(app).await;
        let viewer = member(&world, app, "vic", "viewer").await;
        let stranger = app.person("sam").await;
        let passed = viewer.get(&gate(&world.west, "resources:read")).await;
        assert_eq!((passed.status, passed.header("x-stoa-user")), (200, viewer.id().to_string().as_str()));
        assert_eq!(passed.header("x-stoa-organization"), world.consumer.to_string());
        assert_eq!(passed.header("x-stoa-subscription"), "");
        let refused = viewer.get(&gate(&world.west, "resources:write")).await;
        assert_eq!(refused.header("x-stoa-reason"), "role_refuses");
        refused.expect_problem(403, "forbidden");
        assert_eq!(world.ada.get(&gate(&world.west, "resources:write")).await.status, 200);
        assert_eq!(world.ada.get(&format!("{}&organization=grid-works", gate(&"west", "resources:read"))).await.status, 200);
        let refused = stranger.get(&gate(&world.west, "resources:read")).await;
        assert_eq!(refused.header("x-stoa-reason"), "not_visible");
        refused.expect_problem(403, "forbidden");
        stranger.get(&format!("{}&organization=grid-works", gate(&"west", "resources:read"))).await.expect_problem(403, "forbidden");
    }

    async fn a_change_closes_with_the_next_request(app: &TestApp) {
        let world = World::new(app).await;
        follow(&app.stoa).await;
        let service = world.service(app, "").await;
        let read = gate(&world.north, "resources:read");
        for _ in 0..2 {
            assert_eq!(service.get(&read).await.status, 200);
        }
        world.take_out(&app.stoa, world.north).await;
        service.get(&read).await.expect_problem(403, "forbidden");
        assert_eq!(service.get(&gate(&world.south, "resources:read")).await.status, 200);
        world.grant(&app.stoa, world.north).await;
        assert_eq!(service.get(&read).await.status, 200);
        world.set_state(&app.stoa, "suspended").await;
        invalid_token(service.get(&read).await);
        world.set_state(&app.stoa, "active").await;
        assert_eq!(service.get(&read).await.status, 200);
        world.revoke_secret(&app.stoa).await;
        invalid_token(service.get(&read).await);
    }

    async fn a_token_ends_with_its_time_and_with_the_organization(app: &TestApp) {
        let world = World::new(app).await;
        follow(&app.stoa).await;
        let service = world.service(app, "").await;
        let read = gate(&world.north, "resources:read");
        assert_eq!(service.get(&read).await.status, 200);
        app.clock.advance(HOUR);
        follow(&app.stoa).await;
        invalid_token(service.get(&read).await);

        let service = world.service(app, "").await;
        assert_eq!(service.get(&read).await.status, 200);
        world.ada.delete("/api/v1/organizations/grid-works?confirm=Grid%20Works").await.expect(204);
        invalid_token(service.get(&read).await);
    }

    async fn a_token_ends_with_the_organization_of_its_application(app: &TestApp) {
        let world = World::new(app).await;
        follow(&app.stoa).await;
        let own = world.form(app, "/oauth2/token", &[("grant_type", "client_credentials")]).await.expect(200);
        let own = hash(own["access_token"].as_str().unwrap());
        let now = app.stoa.clock.now();
        assert!(app.stoa.access.authenticate(own, now).await.unwrap().is_some());
        world.eve.delete("/api/v1/organizations/forecasters?confirm=Forecasters").await.expect(204);
        assert!(app.stoa.access.authenticate(own, now).await.unwrap().is_none());
    }

    async fn the_application_of_a_person_is_asked_for_anew_each_time(app: &TestApp) {
        let world = World::with_personal_application(app).await;
        follow(&app.stoa).await;
        let service = world.service(app, "").await;
        let read = gate(&world.north, "resources:read");
        assert_eq!(service.get(&read).await.status, 200);
        // In no log, so that no index could be told.
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("update application_secrets set revoked_at = 1", &[]).await.unwrap();
        tx.commit().await.unwrap();
        invalid_token(service.get(&read).await);
    }

    async fn a_warm_decision_runs_no_statement(app: &TestApp) {
        let world = World::new(app).await;
        follow(&app.stoa).await;
        let token = world.token(app, "").await;
        let service = app.anonymous().with_token(&token);
        let ask = question(("token", &token), "resources:read", ("project", &world.north.to_string()));
        for round in 0..2 {
            let before = app.statements();
            assert_eq!(service.get(&gate(&world.north, "resources:read")).await.status, 200);
            assert!(decide(&service, ask.clone()).await.0);
            assert_eq!(world.form(app, "/oauth2/introspect", &[("token", &token)]).await.expect(200)["active"], true);
            assert_eq!(app.statements() - before, if round == 0 { 5 } else { 0 }, "round {round}");
        }
        // A resource that comes or goes leaves it warm; a change of the subscription does not.
        world.take_out(&app.stoa, world.south).await;
        let before = app.statements();
        assert_eq!(service.get(&gate(&world.north, "resources:read")).await.status, 200);
        assert_eq!(app.statements() - before, 4, "the subscription is read anew, the token is not");
    }

    async fn without_contact_to_the_log_the_database_is_asked(app: &TestApp) {
        let world = World::new(app).await;
        let token = hash(&world.token(app, "").await);
        let (here, other) = (&app.stoa.access, node(app).await);
        let start = app.stoa.clock.now();
        follow(&app.stoa).await;
        assert_eq!(reason(here, token, world.north, start).await, Reason::Granted);
        world.take_out(&other, world.north).await;
        // Trusted for a second, then not.
        let second = start.plus(SECOND);
        assert!(here.is_trusted(second) && !here.is_trusted(second.plus(1)));
        assert_eq!(reason(here, token, world.north, second.plus(1)).await, Reason::NotGranted);
        assert!(!here.is_trusted(start.plus(-SECOND - 1)), "a clock that was set back is not relied on");
    }

    async fn a_change_on_another_node_closes_here_with_the_next_look(app: &TestApp) {
        let world = World::new(app).await;
        let token = hash(&world.token(app, "").await);
        let (here, other) = (node(app).await, node(app).await);
        let mut now = app.stoa.clock.now();
        let mut look = async || {
            now = now.plus(SECOND / 4);
            here.access.poll_once(now).await.unwrap();
            now
        };
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::Granted);
        let before = here.db.statements();
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::Granted);
        assert_eq!(here.db.statements(), before, "it is warm");

        world.take_out(&other, world.north).await;
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::NotGranted);
        world.grant(&other, world.north).await;
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::Granted);
        world.set_state(&other, "ended").await;
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::SubscriptionNotActive);
        world.set_state(&other, "active").await;
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::Granted);
        world.revoke_secret(&other).await;
        let at = look().await;
        assert_eq!(reason(&here.access, token, world.north, at).await, Reason::UnknownToken);
    }

    async fn a_change_by_a_node_whose_clock_is_behind_is_seen_within_a_minute(app: &TestApp) {
        let world = World::new(app).await;
        let token = hash(&world.token(app, "").await);
        let other = node(app).await;
        let now = app.stoa.clock.now();
        let late = now.plus(10 * 60 * SECOND);
        app.stoa.access.poll_once(late).await.unwrap();
        assert_eq!(reason(&app.stoa.access, token, world.north, late).await, Reason::Granted);
        // By the other node's clock, ten minutes earlier.
        world.take_out(&other, world.north).await;
        let minute = late.plus(60 * SECOND);
        app.stoa.access.poll_once(minute).await.unwrap();
        assert_eq!(reason(&app.stoa.access, token, world.north, minute).await, Reason::NotGranted);
    }

    async fn a_log_met_for_the_first_time_closes_too(app: &TestApp) {
        let here = node(app).await;
        here.access.poll_once(app.stoa.clock.now()).await.unwrap();
        let world = World::new(app).await;
        let token = hash(&world.token(app, "").await);
        let now = app.stoa.clock.now();
        assert_eq!(reason(&here.access, token, world.north, now).await, Reason::Granted);
        world.take_out(&app.stoa, world.north).await;
        here.access.poll_once(now).await.unwrap();
        assert_eq!(reason(&here.access, token, world.north, now).await, Reason::NotGranted);
    }

    async fn no_reader_brings_back_what_was_closed_while_it_read(app: &TestApp) {
        let world = Arc::new(World::new(app).await);
        follow(&app.stoa).await;
        let token = hash(&world.token(app, "").await);
        let now = app.stoa.clock.now();
        let (done, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let readers: Vec<_> = (0..4).map(|_| {
            let (access, done, reads, north) = (app.stoa.access.clone(), Arc::clone(&done), Arc::clone(&reads), world.north);
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    reason(&access, token, north, now).await;
                    reads.fetch_add(1, Ordering::Relaxed);
                    tokio::task::yield_now().await;
                }
            })
        }).collect();
        for round in 0..60 {
            world.take_out(&app.stoa, world.north).await;
            for _ in 0..3 {
                assert_eq!(reason(&app.stoa.access, token, world.north, now).await, Reason::NotGranted, "round {round}");
                tokio::task::yield_now().await;
            }
            world.grant(&app.stoa, world.north).await;
            assert_eq!(reason(&app.stoa.access, token, world.north, now).await, Reason::Granted, "round {round}");
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(reads.load(Ordering::Relaxed) > 100);
    }

    async fn following_runs_until_it_is_stopped(app: &TestApp) {
        let access = app.stoa.access.clone();
        let now = app.stoa.clock.now();
        assert!(!access.is_trusted(now));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let following = tokio::spawn({
            let access = access.clone();
            async move { access.follow(move || now, async { drop(stopped.await) }).await }
        });
        while !access.is_trusted(now) {
            tokio::task::yield_now().await;
        }
        stop.send(()).unwrap();
        following.await.unwrap();
    }

    async fn a_decision_about_a_token_says_why(app: &TestApp) {
        let world = World::new(app).await;
        let token = world.token(app, "resources:read").await;
        let (north, west) = (world.north.to_string(), world.west.to_string());
        let (consumer, provider) = (world.consumer.to_string(), world.provider.to_string());
        let asker = app.person("zoe").await;
        let unknown = Secret::mint(stoa_domain::secrets::SecretKind::AccessToken, [9; 32]);
        for (subject, action, resource, expected) in [
            (("token", token.as_str()), "resources:read", ("project", north.as_str()), "granted"),
            (("token", &token), "resources:write", ("project", &north), "permission_not_in_scope"),
            (("token", &token), "manage_members", ("organization", &consumer), "permission_not_in_contract"),
            (("token", &token), "everything", ("project", &north), "unknown_action"),
            (("token", &token), "resources:read", ("project", &west), "not_granted"),
            (("token", &token), "resources:read", ("project", "north"), "unknown_resource"),
            (("token", &token), "resources:read", ("organization", &consumer), "granted"),
            (("token", &token), "resources:read", ("organization", &provider), "not_granted"),
            (("token", &token), "resources:read", ("planet", &north), "unknown_resource"),
            (("token", unknown.expose()), "resources:read", ("project", &north), "unknown_token"),
            (("token", "nonsense"), "resources:read", ("project", &north), "unknown_token"),
            (("robot", &token), "resources:read", ("project", &north), "unknown_subject"),
        ] {
            let answer = decide(&asker, question(subject, action, resource)).await;
            assert_eq!(answer, (expected == "granted", expected.to_owned()), "{subject:?} {action} {resource:?}");
        }
        let full = asker.post("/access/v1/evaluation", question(("token", &token), "resources:read", ("project", &north))).await.expect(200);
        assert_eq!(full["context"]["subscription"], json!(world.subscription));
        assert_eq!(full["context"]["organization"], json!(world.consumer));
        world.set_state(&app.stoa, "ended").await;
        let ended = decide(&asker, question(("token", &token), "resources:read", ("project", &north))).await;
        assert_eq!(ended, (false, "subscription_not_active".into()));
        app.anonymous().post("/access/v1/evaluation", question(("token", &token), "resources:read", ("project", &north))).await
            .expect_problem(401, "unauthenticated");
        asker.post("/access/v1/evaluation", json!({"subject": {"type": "user"}})).await.expect_problem(422, "invalid");
    }

    async fn a_decision_about_a_person_follows_the_role_and_is_told_to_those_who_see_the_place(app: &TestApp) {
        let world = World::new(app).await;
        let viewer = member(&world, app, "vic", "viewer").await;
        let stranger = app.person("sam").await;
        let (ada, vic, sam) = (world.ada.id().to_string(), viewer.id().to_string(), stranger.id().to_string());
        let (north, consumer) = (world.north.to_string(), world.consumer.to_string());
        for (asker, user, action, resource, expected) in [
            (&viewer, vic.as_str(), "resources:read", ("project", north.as_str()), "role_allows"),
            (&viewer, &vic, "resources:write", ("project", &north), "role_refuses"),
            (&viewer, &ada, "resources:write", ("project", &north), "role_allows"),
            (&viewer, &vic, "subscribe_organization", ("organization", &consumer), "needs_request"),
            (&viewer, &ada, "manage_members", ("organization", &consumer), "role_allows"),
            (&viewer, &sam, "view", ("organization", &consumer), "not_a_member"),
            (&stranger, &ada, "view", ("organization", &consumer), "not_visible"),
            (&stranger, &sam, "view", ("organization", &consumer), "not_visible"),
            (&stranger, "nobody", "view", ("organization", &consumer), "unknown_subject"),
        ] {
            let answer = decide(asker, question(("user", user), action, resource)).await;
            assert_eq!(answer, (expected == "role_allows", expected.to_owned()), "{user} {action} {resource:?}");
        }
        let personal = viewer.token().unwrap().to_owned();
        assert!(decide(&stranger, question(("token", &personal), "resources:read", ("project", &north))).await.0);
        let service = world.service(app, "").await;
        assert_eq!(decide(&service, question(("user", &vic), "resources:read", ("project", &north))).await.1, "role_allows");
        let west = world.west.to_string();
        assert_eq!(decide(&service, question(("user", &vic), "resources:read", ("project", &west))).await.1, "not_visible");
        assert_eq!(decide(&service, question(("user", &vic), "view", ("organization", &consumer))).await.1, "not_visible");
    }

    async fn several_questions_are_answered_at_once_and_cost_no_more_statements(app: &TestApp) {
        let world = World::new(app).await;
        let ada = world.ada.id().to_string();
        let projects = [world.north, world.south, world.west].map(|id| id.to_string());
        let ask = |many: usize, semantic: &str| {
            let parts: Vec<_> = (0..many).map(|index| json!({"resource": {"type": "project", "id": projects[index % 3]}})).collect();
            json!({"subject": {"type": "user", "id": ada}, "action": {"name": "resources:read"}, "evaluations": parts,
                   "options": {"evaluations_semantic": semantic}})
        };
        let mut costs = Vec::new();
        for many in [3, 100] {
            let before = app.statements();
            let answer = world.ada.post("/access/v1/evaluations", ask(many, "execute_all")).await.expect(200);
            costs.push(app.statements() - before);
            let answers = answer["evaluations"].as_array().unwrap();
            assert!(answers.len() == many && answers.iter().all(|one| one["decision"] == true), "{answer}");
        }
        assert_eq!(costs[0], costs[1]);
        world.ada.post("/access/v1/evaluations", ask(101, "execute_all")).await.expect_problem(422, "invalid");

        let first = world.ada.post("/access/v1/evaluations", ask(3, "permit_on_first_permit")).await.expect(200);
        assert_eq!(first["evaluations"].as_array().unwrap().len(), 1);
        let all = world.ada.post("/access/v1/evaluations", ask(3, "deny_on_first_deny")).await.expect(200);
        assert_eq!(all["evaluations"].as_array().unwrap().len(), 3);
        let single = world.ada.post("/access/v1/evaluations", question(("user", &ada), "resources:read", ("project", &projects[0]))).await;
        assert_eq!(single.expect(200)["decision"], true);
        let mut lacking = ask(1, "execute_all");
        lacking["action"] = Value::Null;
        let problem = world.ada.post("/access/v1/evaluations", lacking).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/evaluations/0/action");

        let metadata = app.anonymous().get("/.well-known/authzen-configuration").await.expect(200);
        assert_eq!(metadata["access_evaluation_endpoint"], json!(format!("{}/access/v1/evaluation", app.url)));
    }

    async fn a_services_token_opens_nothing_of_people(app: &TestApp) {
        let world = World::new(app).await;
        let service = world.service(app, "").await;
        service.get("/api/v1/me").await.expect_problem(403, "users_only");
        service.get("/api/v1/organizations/grid-works").await.expect_problem(403, "users_only");
    }
}
