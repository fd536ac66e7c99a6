//! Resources: bytes in and out, conditions, ranges, limits, who may, and that nothing is left behind.

use reqwest::{Method, header};
use serde_json::{Value, json};
use stoa_actions::resources::sweep;
use stoa_domain::time::HOUR;
use stoa_store::blobs::count_abandoned;
use stoa_testkit::{Answer, Client, TestApp, api_tests};

use crate::{projects::grid, world::World};

const DELTA: &str = "/api/v1/organizations/grid/projects/delta";

fn at(name: &str) -> String {
    format!("{DELTA}/resources/{name}")
}

async fn put(client: &Client, name: &str, bytes: impl Into<reqwest::Body>, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(client.request(Method::PUT, &at(name)), |request, (name, value)| request.header(*name, *value));
    client.send(request.body(bytes)).await
}

async fn get(client: &Client, name: &str, headers: &[(&str, &str)]) -> Answer {
    let request = headers.iter().fold(client.request(Method::GET, &at(name)), |request, (name, value)| request.header(*name, *value));
    client.send(request).await
}

/// The organization `grid` with its four roles and the project `delta`.
async fn delta(app: &TestApp) -> [stoa_testkit::Person; 4] {
    let people = grid(app).await;
    people[3].post("/api/v1/organizations/grid/projects", json!({"name": "Delta"})).await.expect(201);
    people
}

async fn abandoned(app: &TestApp) -> i64 {
    count_abandoned(&mut app.stoa.db.read().await.unwrap()).await.unwrap()
}

async fn last_event(client: &Client) -> Value {
    let events = client.get("/api/v1/organizations/grid/events").await.expect(200);
    events["items"].as_array().unwrap().last().unwrap().clone()
}

api_tests! {
    async fn bytes_come_back_as_they_were_written(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let made = put(&mira, "readings%202026.csv", "a,b\n1,2\n", &[("content-type", "text/csv; charset=utf-8")]).await;
        let etag = made.header("etag").to_owned();
        let made = made.expect(201);
        assert_eq!((&made["name"], &made["size"], &made["media_type"]), (&json!("readings 2026.csv"), &json!(8), &json!("text/csv; charset=utf-8")));
        assert_eq!(made["etag"], json!(etag));
        assert!(made["id"].as_str().unwrap().starts_with("res_") && made["updated_at"].is_string());

        let found = get(&mira, "readings%202026.csv", &[]).await;
        assert_eq!((found.status, found.bytes.as_slice()), (200, b"a,b\n1,2\n".as_slice()));
        for (name, value) in [
            ("content-type", "text/csv; charset=utf-8"), ("content-length", "8"), ("etag", etag.as_str()),
            ("last-modified", "Tue, 10 Mar 2026 12:00:00 GMT"), ("accept-ranges", "bytes"), ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox; default-src 'none'"), ("cache-control", "private, no-cache"),
            ("content-disposition", "attachment; filename=\"readings 2026.csv\"; filename*=UTF-8''readings%202026.csv"),
        ] {
            assert_eq!(found.header(name), value, "{name}");
        }
        let head = mira.send(mira.request(Method::HEAD, &at("readings%202026.csv"))).await;
        assert_eq!((head.status, head.bytes.len(), head.header("content-length"), head.header("etag")), (200, 0, "8", etag.as_str()));

        let event = last_event(&mira).await;
        assert_eq!((&event["type"], &event["subject"]["id"]), (&json!("resource.written"), &json!("readings 2026.csv")));
        assert_eq!((&event["data"]["created"], &event["data"]["size"]), (&json!(true), &json!(8)));
        let listed = mira.get(&format!("{DELTA}/resources")).await.expect(200);
        assert_eq!(listed["items"], json!([made]));
        let project = mira.get(DELTA).await.expect(200);
        assert_eq!((&project["resources"], &project["bytes"]), (&json!(1), &json!(8)));
    }

    async fn written_anew_it_keeps_its_id_and_the_old_bytes_are_swept_after_an_hour(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let first = put(&mira, "a", "one", &[]).await.expect(201);
        app.clock.advance(HOUR);
        let second = put(&mira, "a", "other", &[("content-type", "text/plain")]).await.expect(200);
        assert_eq!((&second["id"], &second["created_at"]), (&first["id"], &first["created_at"]));
        assert_ne!((&second["etag"], &second["updated_at"]), (&first["etag"], &first["updated_at"]));
        assert_eq!(get(&mira, "a", &[]).await.text(), "other");
        assert_eq!(abandoned(app).await, 1);
        let now = app.stoa.clock.now();
        assert_eq!(sweep(&app.stoa, now).await.unwrap(), 0);
        assert_eq!(sweep(&app.stoa, now.plus(HOUR + 1)).await.unwrap(), 1);
        assert_eq!(get(&mira, "a", &[]).await.text(), "other");
    }

    async fn a_resource_may_be_empty_and_media_types_default(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let made = put(&mira, "nothing", "", &[]).await.expect(201);
        assert_eq!((&made["size"], &made["media_type"]), (&json!(0), &json!("application/octet-stream")));
        let found = get(&mira, "nothing", &[]).await;
        assert_eq!((found.status, found.bytes.len(), found.header("content-length")), (200, 0, "0"));
        get(&mira, "nothing", &[("range", "bytes=0-0")]).await.expect_problem(416, "range_not_satisfiable");
        put(&mira, ".hidden", "x", &[]).await.expect_problem(422, "invalid");
        put(&mira, "a%2Fb", "x", &[]).await.expect_problem(422, "invalid");
        put(&mira, "a", "x", &[("content-type", "nonsense")]).await.expect_problem(422, "invalid");
    }

    async fn conditions_guard_writes_reads_and_deletions(app: &TestApp) {
        let [.., mira] = delta(app).await;
        put(&mira, "a", "one", &[("if-match", "*")]).await.expect_problem(412, "precondition_failed");
        let first = put(&mira, "a", "one", &[("if-none-match", "*")]).await.expect(201);
        let etag = first["etag"].as_str().unwrap();
        put(&mira, "a", "two", &[("if-none-match", "*")]).await.expect_problem(412, "precondition_failed");
        put(&mira, "a", "two", &[("if-match", "\"other\"")]).await.expect_problem(412, "precondition_failed");
        let second = put(&mira, "a", "two", &[("if-match", etag)]).await.expect(200);
        put(&mira, "a", "three", &[("if-match", etag)]).await.expect_problem(412, "precondition_failed");
        assert_eq!(get(&mira, "a", &[]).await.text(), "two");

        let current = second["etag"].as_str().unwrap();
        let same = get(&mira, "a", &[("if-none-match", current)]).await;
        assert_eq!((same.status, same.bytes.len(), same.header("etag")), (304, 0, current));
        assert_eq!(get(&mira, "a", &[("if-none-match", etag)]).await.status, 200);
        assert_eq!(get(&mira, "a", &[("if-modified-since", "Tue, 10 Mar 2026 12:00:00 GMT")]).await.status, 304);
        assert_eq!(get(&mira, "a", &[("if-modified-since", "Tue, 10 Mar 2026 11:59:59 GMT")]).await.status, 200);
        get(&mira, "a", &[("if-match", etag)]).await.expect_problem(412, "precondition_failed");

        let delete = async |tag: &str| mira.send(mira.request(Method::DELETE, &at("a")).header("if-match", tag)).await;
        delete(etag).await.expect_problem(412, "precondition_failed");
        delete(current).await.expect(204);
        assert_eq!(last_event(&mira).await["type"], "resource.deleted");
        get(&mira, "a", &[]).await.expect_problem(404, "not_found");
        delete("*").await.expect_problem(404, "not_found");
    }

    async fn of_many_conditional_writes_at_once_one_wins(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let statuses = |answers: Vec<Answer>| { let mut all: Vec<_> = answers.iter().map(|one| one.status).collect(); all.sort_unstable(); all };
        let new = futures::future::join_all((0..6).map(|n| put(&mira, "a", format!("{n}"), &[("if-none-match", "*")]))).await;
        assert_eq!(statuses(new), [201, 412, 412, 412, 412, 412]);
        let etag = get(&mira, "a", &[]).await.header("etag").to_owned();
        let tag = [("if-match", etag.as_str())];
        let next = futures::future::join_all((10..16).map(|n| put(&mira, "a", format!("{n}"), &tag))).await;
        assert_eq!(statuses(next), [200, 412, 412, 412, 412, 412]);
        assert_eq!(abandoned(app).await, 1);
    }

    async fn a_range_is_given_of_the_version_asked_for(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let made = put(&mira, "a", "0123456789", &[]).await.expect(201);
        let etag = made["etag"].as_str().unwrap();
        let part = get(&mira, "a", &[("range", "bytes=2-4"), ("if-range", etag)]).await;
        assert_eq!((part.status, part.text().as_str(), part.header("content-range"), part.header("content-length")), (206, "234", "bytes 2-4/10", "3"));
        assert_eq!(get(&mira, "a", &[("range", "bytes=-3")]).await.text(), "789");
        assert_eq!(get(&mira, "a", &[("range", "bytes=7-")]).await.text(), "789");
        let whole = get(&mira, "a", &[("range", "bytes=2-4"), ("if-range", "\"older\"")]).await;
        assert_eq!((whole.status, whole.bytes.len()), (200, 10));
        assert_eq!(get(&mira, "a", &[("range", "bytes=0-1,4-5")]).await.status, 200);
        let none = get(&mira, "a", &[("range", "bytes=10-")]).await;
        assert_eq!(none.header("content-range"), "bytes */10");
        none.expect_problem(416, "range_not_satisfiable");
    }

    async fn too_many_bytes_are_refused_early_or_on_the_way_and_leave_nothing(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let limit = usize::try_from(app.stoa.limits.resource_bytes).unwrap();
        put(&mira, "a", vec![7; limit], &[]).await.expect(201);
        put(&mira, "b", vec![7; limit + 1], &[]).await.expect_problem(413, "too_large");
        // Without a length beforehand.
        let chunks = futures::stream::iter((0..=limit / 65_536).map(|_| Ok::<_, std::io::Error>(vec![7_u8; 65_536])));
        put(&mira, "b", reqwest::Body::wrap_stream(chunks), &[]).await.expect_problem(413, "too_large");
        get(&mira, "b", &[]).await.expect_problem(404, "not_found");
        assert_eq!(abandoned(app).await, 0);
        assert_eq!(app.blob_keys().await.len(), 1);
    }

    async fn a_body_that_breaks_off_leaves_nothing(app: &TestApp) {
        let [.., mira] = delta(app).await;
        put(&mira, "a", "whole", &[]).await.expect(201);
        let broken = futures::stream::iter([Ok(vec![7_u8; 1_000]), Err(std::io::Error::other("gone"))]);
        let request = mira.request(Method::PUT, &at("a")).body(reqwest::Body::wrap_stream(broken));
        assert!(mira.try_send(request).await.is_err());
        assert_eq!(get(&mira, "a", &[]).await.text(), "whole");
        // The server learns of it a moment later; what it noted is swept in any case.
        while abandoned(app).await > 0 {
            tokio::task::yield_now().await;
            sweep(&app.stoa, app.stoa.clock.now().plus(2 * HOUR)).await.unwrap();
        }
        assert_eq!(app.blob_keys().await.len(), 1);
    }

    async fn a_large_body_is_streamed_in_parts(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let mut stoa = app.stoa.clone();
        stoa.limits.resource_bytes = 64 * 1024 * 1024;
        let caller = stoa_actions::Caller::user(mira.user.clone(), stoa.clock.now());
        let chunks = futures::stream::iter((0..12_u8).map(|n| Ok::<_, std::io::Error>(vec![n; 1024 * 1024].into())));
        let new = stoa_actions::resources::NewResource { name: "large".into(), ..Default::default() };
        let (org, project) = (stoa_domain::organizations::Key::read("grid"), stoa_domain::organizations::Key::read("delta"));
        let written = stoa_actions::resources::write(&stoa, &caller, &org, &project, new, chunks).await.unwrap();
        assert_eq!(written.resource.size, 12 * 1024 * 1024);
        let part = get(&mira, "large", &[("range", "bytes=5242879-5242880")]).await;
        assert_eq!(part.bytes, [4, 5]);
        assert_eq!(get(&mira, "large", &[]).await.bytes.len(), 12 * 1024 * 1024);
    }

    async fn resources_are_read_by_members_and_written_by_editors_and_maintainers(app: &TestApp) {
        let [vera, rolf, edda, mira] = delta(app).await;
        let stranger = app.person("sten").await;
        put(&app.anonymous(), "a", "x", &[]).await.expect_problem(401, "unauthenticated");
        put(&stranger, "a", "x", &[]).await.expect_problem(404, "not_found");
        put(&vera, "a", "x", &[]).await.expect_problem(403, "forbidden");
        put(&rolf, "a", "x", &[]).await.expect_problem(403, "forbidden");
        put(&edda, "a", "x", &[]).await.expect(201);
        put(&mira, "a", "y", &[]).await.expect(200);
        for reader in [&vera, &rolf, &edda, &mira] {
            assert_eq!(get(reader, "a", &[]).await.text(), "y");
            reader.get(&format!("{DELTA}/resources")).await.expect(200);
        }
        for method in [Method::GET, Method::DELETE] {
            let nobody = app.anonymous();
            nobody.send(nobody.request(method.clone(), &at("a"))).await.expect_problem(401, "unauthenticated");
            stranger.send(stranger.request(method, &at("a"))).await.expect_problem(404, "not_found");
        }
        assert_eq!(stranger.send(stranger.request(Method::HEAD, &at("a"))).await.status, 404);
        app.anonymous().get(&format!("{DELTA}/resources")).await.expect_problem(401, "unauthenticated");
        stranger.get(&format!("{DELTA}/resources")).await.expect_problem(404, "not_found");
        vera.delete(&at("a")).await.expect_problem(403, "forbidden");
        rolf.delete(&at("a")).await.expect_problem(403, "forbidden");
        edda.delete(&at("a")).await.expect(204);
        mira.delete(&at("a")).await.expect_problem(404, "not_found");
    }

    async fn a_deleted_project_takes_its_resources_along(app: &TestApp) {
        let [.., mira] = delta(app).await;
        for name in ["a", "b", "c"] {
            put(&mira, name, name, &[]).await.expect(201);
        }
        mira.delete(DELTA).await.expect(204);
        get(&mira, "a", &[]).await.expect_problem(404, "not_found");
        put(&mira, "a", "x", &[]).await.expect_problem(404, "not_found");
        assert_eq!(abandoned(app).await, 3);
        sweep(&app.stoa, app.stoa.clock.now().plus(2 * HOUR)).await.unwrap();
        assert!(app.blob_keys().await.is_empty());
    }

    async fn the_list_is_paged_by_name_and_statements_do_not_grow(app: &TestApp) {
        let [.., mira] = delta(app).await;
        let list = format!("{DELTA}/resources");
        for name in ["b", "a"] {
            put(&mira, name, name, &[]).await.expect(201);
        }
        let before = app.statements();
        mira.get(&list).await.expect(200);
        let few = app.statements() - before;
        for name in ["e", "c", "d"] {
            put(&mira, name, name, &[]).await.expect(201);
        }
        let before = app.statements();
        let all = mira.get(&list).await.expect(200);
        assert_eq!(app.statements() - before, few);
        let first = mira.get(&format!("{list}?limit=3")).await.expect(200);
        let rest = mira.get(&format!("{list}?limit=3&cursor={}", first["next_cursor"].as_str().unwrap())).await.expect(200);
        let names = |page: &Value| page["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&all), ["a", "b", "c", "d", "e"]);
        assert_eq!([names(&first), names(&rest)], [vec!["a", "b", "c"], vec!["d", "e"]]);
        assert_eq!(get(&mira, "c", &[("range", "bytes=0-0")]).await.headers[header::CONTENT_LENGTH], "1");
    }

    async fn the_pages_upload_show_download_and_delete(app: &TestApp) {
        let mira = app.person_with_password("mira").await;
        mira.post("/api/v1/organizations", json!({"name": "Grid"})).await.expect(201);
        mira.post("/api/v1/organizations/grid/projects", json!({"name": "Delta"})).await.expect(201);
        let browser = app.signed_in(&mira).await;
        let page = "/organizations/grid/projects/delta";
        let upload = async |name: &str, bytes: Vec<u8>| {
            let file = reqwest::multipart::Part::bytes(bytes).file_name(name.to_owned()).mime_str("text/csv").unwrap();
            let form = reqwest::multipart::Form::new().part("file", file);
            browser.send(browser.request(Method::POST, &format!("{page}/resources")).multipart(form)).await
        };
        let sent = upload("meters: north.csv", b"a,b".to_vec()).await;
        assert_eq!((sent.status, sent.header("location")), (303, page), "{sent:?}");
        let shown = browser.get(page).await.text();
        assert!(shown.contains("meters_ north.csv is uploaded.") && shown.contains("1 resource, 3 B"), "{shown}");
        assert!(browser.get(page).await.text().contains("text/csv"));
        let file = browser.get(&format!("{page}/resources/meters%5F%20north%2Ecsv")).await;
        assert_eq!((file.text().as_str(), file.header("content-type"), file.header("content-security-policy")), ("a,b", "text/csv", "sandbox; default-src 'none'"));
        assert!(file.header("content-disposition").starts_with("attachment;"));

        assert_eq!(upload("meters: north.csv", b"other".to_vec()).await.status, 303);
        assert!(browser.get(page).await.text().contains("is replaced."));
        let limit = usize::try_from(app.stoa.limits.resource_bytes).unwrap();
        let large = upload("large.bin", vec![0; limit + 1]).await;
        assert!(large.status == 413 && large.text().contains("at most"), "{}", large.status);
        let none = browser.send(browser.request(Method::POST, &format!("{page}/resources")).multipart(reqwest::multipart::Form::new().text("x", "y"))).await;
        assert!(none.status == 422 && none.text().contains("Choose a file first."), "{none:?}");

        let deleted = browser.send(browser.request(Method::POST, &format!("{page}/resources/meters_%20north.csv/delete"))).await;
        assert_eq!((deleted.status, deleted.header("location")), (303, page), "{deleted:?}");
        assert!(browser.get(page).await.text().contains("No resources yet"));
    }

    async fn a_service_uses_granted_projects_as_its_scope_says_and_knows_of_no_other(app: &TestApp) {
        let world = World::new(app).await;
        let at = |project: &str, name: &str| format!("/api/v1/organizations/grid-works/projects/{project}/resources{name}");
        let write = async |client: &Client, project: &str, bytes: &'static str| {
            client.send(client.request(Method::PUT, &at(project, "/a")).body(bytes)).await
        };
        let both = world.service(app, "resources:read resources:write").await;
        let reader = world.service(app, "resources:read").await;
        write(&both, "north", "one").await.expect(201);
        write(&both, "north", "two").await.expect(200);
        assert_eq!(reader.get(&at("north", "/a")).await.text(), "two");
        assert_eq!(reader.get(&at(&world.north.to_string(), "/a")).await.text(), "two");
        assert_eq!(reader.get(&at("north", "")).await.expect(200)["items"][0]["name"], "a");
        write(&reader, "north", "three").await.expect_problem(403, "insufficient_scope");
        reader.delete(&at("north", "/a")).await.expect_problem(403, "insufficient_scope");
        reader.get(&at("south", "/a")).await.expect_problem(404, "not_found");

        // What it is not granted and what is not there look the same.
        write(&world.ada, "west", "mine").await.expect(201);
        world.eve.post("/api/v1/organizations/forecasters/projects", json!({"name": "Own"})).await.expect(201);
        for path in [at("west", "/a"), at("west", ""), at("nowhere", "/a"), "/api/v1/organizations/forecasters/projects/own/resources".to_owned()] {
            both.get(&path).await.expect_problem(404, "not_found");
        }
        write(&both, "west", "mine").await.expect_problem(404, "not_found");
        both.delete(&at("west", "/a")).await.expect_problem(404, "not_found");

        let events = world.ada.get("/api/v1/organizations/grid-works/events?type=resource.written").await.expect(200);
        assert_eq!(events["items"][0]["actor"]["id"], json!(world.application));
        assert_eq!(events["items"][0]["data"]["subscription"], json!(world.subscription));

        world.take_out(&app.stoa, world.north).await;
        reader.get(&at("north", "/a")).await.expect_problem(404, "not_found");
        write(&both, "north", "late").await.expect_problem(404, "not_found");
        assert_eq!(world.ada.get(&at("north", "/a")).await.text(), "two");
        both.delete(&at("south", "/a")).await.expect_problem(404, "not_found");
        write(&both, "south", "one").await.expect(201);
        both.delete(&at("south", "/a")).await.expect(204);
    }
}
