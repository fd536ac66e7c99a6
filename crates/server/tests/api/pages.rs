//! The pages: signing in, the account, organizations with their members, activity and settings.

use reqwest::{Method, header::SET_COOKIE};
use serde_json::json;
use stoa_domain::time::{DAY, HOUR};
use stoa_testkit::{Answer, Client, PASSWORD, TestApp, api_tests};

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

/// The answer's page; fails the test for another status.
#[track_caller]
fn page(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.header("content-type").starts_with("text/html"), "{answer:?}");
    answer.text()
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, path), "{answer:?}");
}

fn ends_cookie(answer: &Answer) -> bool {
    answer.header("set-cookie").contains("Max-Age=0")
}

/// An organization of Ada's with members of each role, and their browsers.
struct Company {
    ada: Client,
    ben: Client,
    ben_id: String,
    ada_id: String,
}

async fn company(app: &TestApp) -> Company {
    let (ada, ben) = (app.person_with_password("ada").await, app.person_with_password("ben").await);
    ada.post("/api/v1/organizations", json!({"name": "Grid Works", "description": "Keeps the lights on"})).await.expect(201);
    let members = json!({"members": [{"email": "ben@people.example", "role": "viewer"}]});
    ada.post("/api/v1/organizations/grid-works/members", members).await.expect(200);
    Company { ada: app.signed_in(&ada).await, ben: app.signed_in(&ben).await, ben_id: ben.id().to_string(), ada_id: ada.id().to_string() }
}

api_tests! {
    async fn signing_in_leads_on_and_sets_a_careful_cookie(app: &TestApp) {
        app.person_with_password("ada").await;
        let browser = app.browser();
        leads_to(&browser.get("/").await, "/sign-in");
        leads_to(&browser.get("/organizations?cursor=").await, "/sign-in?next=%2Forganizations%3Fcursor%3D");
        let form = page(&browser.get("/sign-in?next=%2Faccount").await, 200);
        assert!(form.contains(r#"name="next" value="/account""#), "{form}");

        let answer = submit(&browser, "/sign-in", &[("email", " ADA@people.example"), ("password", PASSWORD), ("next", "/account")]).await;
        leads_to(&answer, "/account");
        let cookie = answer.header("set-cookie");
        for part in ["stoa_session=stoa_ses_", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=1209600"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(page(&browser.get("/account").await, 200).contains("ada@people.example"));
        leads_to(&browser.get("/").await, "/organizations");
        leads_to(&browser.get("/sign-in").await, "/organizations");
    }

    async fn a_wrong_sign_in_says_the_same_for_known_and_unknown_addresses(app: &TestApp) {
        app.person_with_password("ada").await;
        let browser = app.browser();
        let mut texts = Vec::new();
        for email in ["ada@people.example", "nobody@people.example", "not an address"] {
            let answer = submit(&browser, "/sign-in", &[("email", email), ("password", "wrong")]).await;
            assert_eq!(answer.header("set-cookie"), "");
            texts.push(page(&answer, 422).replace(email, "…"));
        }
        assert!(texts[0].contains("E-mail or password are wrong."));
        assert!(texts.iter().all(|text| *text == texts[0]));
    }

    async fn the_way_on_stays_within_this_installation(app: &TestApp) {
        app.person_with_password("ada").await;
        for next in ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", ""] {
            let answer = submit(&app.browser(), "/sign-in", &[("email", "ada@people.example"), ("password", PASSWORD), ("next", next)]).await;
            leads_to(&answer, "/organizations");
        }
    }

    async fn signing_in_makes_a_new_session_and_ends_the_one_before(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let form = [("email", "ada@people.example"), ("password", PASSWORD)];
        let first = submit(&browser, "/sign-in", &form).await;
        let first = first.header("set-cookie").split(';').next().unwrap().to_owned();
        let second = submit(&browser, "/sign-in", &form).await;
        assert_ne!(second.header("set-cookie").split(';').next().unwrap(), first);
        let old = app.anonymous();
        let answer = old.send(old.request(Method::GET, "/account").header("cookie", first)).await;
        leads_to(&answer, "/sign-in?next=%2Faccount");
    }

    async fn signing_out_ends_the_session_itself(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let form = [("email", "ada@people.example"), ("password", PASSWORD)];
        let browser = app.signed_in(&ada).await;
        let cookie = submit(&browser, "/sign-in", &form).await.header("set-cookie").split(';').next().unwrap().to_owned();
        let answer = submit(&browser, "/sign-out", &[]).await;
        leads_to(&answer, "/sign-in");
        assert!(ends_cookie(&answer));
        let kept = app.anonymous();
        let answer = kept.send(kept.request(Method::GET, "/account").header("cookie", cookie)).await;
        leads_to(&answer, "/sign-in?next=%2Faccount");
        assert_eq!(browser.get("/sign-out").await.status, 405);
    }

    async fn a_session_ends_two_weeks_after_its_last_use_and_its_cookie_is_written_once_a_day(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let before = app.statements();
        assert!(browser.get("/account").await.headers.get(SET_COOKIE).is_none());
        let usual = app.statements() - before;
        app.clock.advance(DAY + HOUR);
        let before = app.statements();
        assert!(browser.get("/account").await.header("set-cookie").contains("Max-Age=1209600"));
        assert_eq!(app.statements() - before, usual + 1);
        let before = app.statements();
        browser.get("/account").await;
        assert_eq!(app.statements() - before, usual);
        app.clock.advance(14 * DAY - HOUR);
        page(&browser.get("/account").await, 200);
        app.clock.advance(14 * DAY + HOUR);
        leads_to(&browser.get("/account").await, "/sign-in?next=%2Faccount");
    }

    async fn forms_of_other_sites_are_refused(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let form = || browser.request(Method::POST, "/organizations/new").form(&[("name", "Grid")]);
        for (header, value) in [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example")] {
            let answer = browser.send(form().header(header, value)).await;
            assert!(page(&answer, 403).contains("another site"));
        }
        let answer = browser.send(form().header("sec-fetch-site", "same-origin").header("origin", &app.url)).await;
        leads_to(&answer, "/organizations/grid");
        assert_eq!(ada.get("/api/v1/organizations").await.expect(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn a_session_does_not_open_the_api_and_a_token_no_page(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        app.signed_in(&ada).await.get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        leads_to(&ada.get("/account").await, "/sign-in?next=%2Faccount");
    }

    async fn every_answer_carries_the_headers_that_keep_browsers_safe(app: &TestApp) {
        let anonymous = app.anonymous();
        for path in ["/sign-in", "/assets/app.css", "/api/v1/me", "/nothing", "/health/live"] {
            let answer = anonymous.get(path).await;
            let policy = answer.header("content-security-policy");
            for part in ["default-src 'self'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
            assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        }
        assert_eq!(anonymous.get("/sign-in").await.header("cache-control"), "no-store");
    }

    async fn assets_have_versions(app: &TestApp) {
        let anonymous = app.anonymous();
        let html = anonymous.get("/sign-in").await.text();
        let path = html.split("href=\"").map(|rest| rest.split('"').next().unwrap()).find(|path| path.starts_with("/assets/app.css?v=")).unwrap();
        let answer = anonymous.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/css"));
        assert!(answer.header("cache-control").contains("immutable"));
        let etag = answer.header("etag").to_owned();
        let again = anonymous.send(anonymous.request(Method::GET, "/assets/app.css").header("if-none-match", &etag)).await;
        assert_eq!((again.status, again.bytes.len()), (304, 0));
        assert!(!again.header("cache-control").contains("immutable"));
        anonymous.get("/assets/none.css").await.expect_problem(404, "not_found");
        anonymous.get("/assets/../Cargo.toml").await.expect_problem(404, "not_found");
    }

    async fn an_unknown_address_is_a_page_for_browsers_and_a_problem_for_programs(app: &TestApp) {
        let anonymous = app.anonymous();
        anonymous.get("/api/v1/nothing").await.expect_problem(404, "not_found");
        let answer = anonymous.send(anonymous.request(Method::GET, "/nothing").header("accept", "text/html,*/*;q=0.8")).await;
        assert!(page(&answer, 404).contains("There is nothing here"));
        anonymous.send(anonymous.request(Method::DELETE, "/api/v1/me/tokens")).await.expect_problem(405, "method_not_allowed");
        let browser = app.signed_in(&app.person_with_password("ada").await).await;
        let html = page(&browser.get("/organizations/nowhere").await, 404);
        assert!(html.contains("There is no such organization, or you may not see it."), "{html}");
        assert!(html.contains("Account of ada"));
    }

    async fn a_personal_token_is_shown_once_works_and_can_be_revoked(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let html = page(&submit(&browser, "/account/tokens", &[("name", "")]).await, 422);
        assert!(html.contains("This must not be empty."));
        let html = page(&submit(&browser, "/account/tokens", &[("name", "Nightly <export>")]).await, 201);
        let secret = html.split("stoa_pat_").nth(1).map(|rest| format!("stoa_pat_{}", rest.split('<').next().unwrap())).unwrap();
        assert_eq!(secret.len(), 81);
        app.anonymous().with_token(&secret).get("/api/v1/me").await.expect(200);
        let html = page(&browser.get("/account/tokens").await, 200);
        assert!(!html.contains(&secret) && html.contains("Nightly &#60;export&#62;") && html.contains("today"));
        let tokens = ada.get("/api/v1/me/tokens").await.expect(200);
        let id = tokens["items"].as_array().unwrap().iter().find(|token| token["name"] == "Nightly <export>").unwrap()["id"].as_str().unwrap().to_owned();
        leads_to(&submit(&browser, &format!("/account/tokens/{id}/revoke"), &[]).await, "/account/tokens");
        assert!(page(&browser.get("/account/tokens").await, 200).contains("The token was revoked."));
        app.anonymous().with_token(&secret).get("/api/v1/me").await.expect_problem(401, "unauthenticated");
        page(&submit(&browser, &format!("/account/tokens/{id}/revoke"), &[]).await, 404);
    }

    async fn a_new_organization_is_created_or_the_form_says_what_is_wrong(app: &TestApp) {
        let browser = app.signed_in(&app.person_with_password("ada").await).await;
        assert!(page(&browser.get("/organizations").await, 200).contains("You belong to no organization yet"));
        let form = [("name", ""), ("handle", "A B"), ("description", "kept text"), ("billing_email", "nowhere")];
        let html = page(&submit(&browser, "/organizations/new", &form).await, 422);
        for part in ["This must not be empty.", "A handle has 2 to 63", "This does not look like an e-mail address", "kept text", "value=\"A B\""] {
            assert!(html.contains(part), "{part}: {html}");
        }
        leads_to(&submit(&browser, "/organizations/new", &[("name", "Grid Works"), ("handle", "")]).await, "/organizations/grid-works");
        let html = page(&browser.get("/organizations/grid-works").await, 200);
        assert!(html.contains("Grid Works was created. You are its maintainer.") && html.contains("Get started"));
        assert!(html.contains("created the organization Grid Works"));
        assert!(!page(&browser.get("/organizations/grid-works").await, 200).contains("Grid Works was created."), "a message is shown once");
        let html = page(&submit(&browser, "/organizations/new", &[("name", "Other"), ("handle", "grid-works")]).await, 409);
        assert!(html.contains("This handle is taken; choose another."));
    }

    async fn the_list_shows_roles_and_the_bin_to_maintainers_only(app: &TestApp) {
        let company = company(app).await;
        let html = page(&company.ada.get("/organizations").await, 200);
        assert!(html.contains("New Org") && html.contains("Maintainer") && html.contains("Delete Grid Works") && html.contains("dlg-delete-org"));
        let html = page(&company.ben.get("/organizations").await, 200);
        assert!(html.contains("Viewer") && !html.contains("Delete Grid Works") && !html.contains("dlg-delete-org"));
    }

    async fn deleting_takes_the_exact_name_and_a_maintainer(app: &TestApp) {
        let company = company(app).await;
        let html = page(&submit(&company.ben, "/organizations/grid-works/delete", &[("confirm", "Grid Works")]).await, 403);
        assert!(html.contains("You are a viewer of Grid Works and may not delete the organization.") && html.contains("ada"), "{html}");
        let html = page(&submit(&company.ada, "/organizations/grid-works/delete", &[("confirm", "grid works")]).await, 422);
        assert!(html.contains("confirm with its exact name: Grid Works"));
        leads_to(&submit(&company.ada, "/organizations/grid-works/delete", &[("confirm", "Grid Works")]).await, "/organizations");
        assert!(page(&company.ada.get("/organizations").await, 200).contains("Grid Works was deleted."));
        page(&company.ada.get("/organizations/grid-works").await, 404);
    }

    async fn members_are_added_in_rows_with_a_result_for_each(app: &TestApp) {
        let company = company(app).await;
        app.person("cleo").await;
        app.person("dora").await;
        let path = "/organizations/grid-works/members";
        assert!(page(&company.ada.get(&format!("{path}?open=add")).await, 200).contains(r#"aria-labelledby="dlg-add-title" open"#));
        let html = page(&submit(&company.ada, path, &[("email", ""), ("role", "viewer")]).await, 422);
        assert!(html.contains("Give 1 to 100 people."));
        let rows = [
            ("email", "cleo@people.example"), ("role", "editor"), ("email", ""), ("role", "viewer"),
            ("email", "nobody@people"), ("role", "viewer"), ("email", "ben@people.example"), ("role", "maintainer"),
        ];
        let html = page(&submit(&company.ada, path, &rows).await, 422);
        for part in ["Added as editor", "This does not look like an e-mail address", "Was a member already, as viewer"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let rows = [("email", "dora@people.example"), ("role", "reviewer")];
        leads_to(&submit(&company.ada, path, &rows).await, path);
        let html = page(&company.ada.get(path).await, 200);
        assert!(html.contains("dora was added.") && html.contains("cleo@people.example"));
    }

    async fn roles_change_and_members_go_but_a_maintainer_stays(app: &TestApp) {
        let company = company(app).await;
        let path = "/organizations/grid-works/members";
        let (ben, ada) = (format!("{path}/{}", company.ben_id), format!("{path}/{}", company.ada_id));
        leads_to(&submit(&company.ada, &format!("{ben}/role"), &[("role", "editor")]).await, path);
        assert!(page(&company.ada.get(path).await, 200).contains("ben is an editor now."));
        leads_to(&submit(&company.ada, &format!("{ada}/role"), &[("role", "viewer")]).await, path);
        let html = page(&company.ada.get(path).await, 200);
        assert!(html.contains("note danger") && html.contains("Last maintainer"), "{html}");
        leads_to(&submit(&company.ada, &format!("{ada}/remove"), &[]).await, path);
        assert!(page(&company.ada.get(path).await, 200).contains("note danger"));
        leads_to(&submit(&company.ada, &format!("{ben}/remove"), &[]).await, path);
        let html = page(&company.ada.get(path).await, 200);
        assert!(html.contains("ben was removed.") && !html.contains("ben@people.example"));
        page(&company.ben.get(path).await, 404);
    }

    async fn whoever_is_no_maintainer_is_offered_nothing_and_refused_when_forcing_it(app: &TestApp) {
        let company = company(app).await;
        let path = "/organizations/grid-works/members";
        let html = page(&company.ben.get(path).await, 200);
        assert!(html.contains("Only maintainers add members and change roles: ada.") && !html.contains("dlg-add") && !html.contains("Role of"));
        assert!(html.contains("Leave"));
        for (to, form) in [
            (path.to_owned(), [("email", "ben@people.example"), ("role", "maintainer")]),
            (format!("{path}/{}/role", company.ben_id), [("role", "maintainer"), ("x", "")]),
            (format!("{path}/{}/remove", company.ada_id), [("x", ""), ("y", "")]),
            ("/organizations/grid-works/settings".to_owned(), [("name", "Mine"), ("description", "")]),
        ] {
            let html = page(&submit(&company.ben, &to, &form).await, 403);
            assert!(html.contains("may not") && html.contains("These could do this for you: ada."), "{to}: {html}");
        }
        leads_to(&submit(&company.ben, &format!("{path}/{}/remove", company.ben_id), &[]).await, "/organizations");
        let html = page(&company.ben.get("/organizations").await, 200);
        assert!(html.contains("You left the organization.") && !html.contains("Grid Works"));
        page(&company.ben.get(path).await, 404);
    }

    async fn activity_reads_as_sentences_newest_first_and_is_paged(app: &TestApp) {
        let company = company(app).await;
        submit(&company.ada, &format!("/organizations/grid-works/members/{}/role", company.ben_id), &[("role", "editor")]).await;
        let path = "/organizations/grid-works/activity";
        let html = page(&company.ben.get(path).await, 200);
        let at = |text: &str| html.find(text).unwrap_or_else(|| panic!("{text}: {html}"));
        assert!(at("changed the role of ben from viewer to editor") < at("added ben as viewer"));
        assert!(at("added ben as viewer") < at("created the organization Grid Works"));
        assert!(html.contains("Today, 10 March 2026") && html.contains("12:00 UTC"));
        let first = page(&company.ada.get(&format!("{path}?limit=2")).await, 200);
        assert!(first.contains("added ben") && !first.contains("created the organization"));
        let next = first.split(r#"href=""#).map(|rest| rest.split('"').next().unwrap()).find(|href| href.contains("cursor=")).unwrap();
        assert!(page(&company.ada.get(next).await, 200).contains("created the organization"));
        let members = page(&company.ada.get(&format!("{path}?type=member")).await, 200);
        assert!(members.contains("added ben") && !members.contains("created the organization"));
    }

    async fn activity_is_filtered_by_a_form_and_offered_as_a_file_to_maintainers(app: &TestApp) {
        let company = company(app).await;
        let path = "/organizations/grid-works/activity";
        let by_ada = page(&company.ada.get(&format!("{path}?person=ada%40people.example&type=member&from=2026-03-10&to=2026-03-10")).await, 200);
        assert!(by_ada.contains("added ben as viewer") && !by_ada.contains("created the organization"));
        assert!(by_ada.contains("value=\"ada@people.example\"") && by_ada.contains("Show everything"));
        assert!(by_ada.contains("/activity/export?type=member&#38;person=ada%40people.example") || by_ada.contains("/activity/export?type=member&amp;person=ada%40people.example"), "{by_ada}");
        for nobody in ["ben%40people.example", "nobody%40people.example", "app_01h455vb4pex5vsknk084sn02q"] {
            assert!(page(&company.ada.get(&format!("{path}?person={nobody}")).await, 200).contains("Nothing fits"), "{nobody}");
        }
        let wrong = page(&company.ada.get(&format!("{path}?from=2026-03-11&to=2026-03-10")).await, 422);
        assert!(wrong.contains("The end must not lie before the beginning."), "{wrong}");
        assert!(page(&company.ada.get(&format!("{path}?person=ada")).await, 422).contains("Give the id of a user"));

        let file = company.ada.get(&format!("{path}/export?format=csv&type=member")).await;
        assert_eq!((file.status, file.header("content-type")), (200, "text/csv; charset=utf-8"));
        assert_eq!(file.text().lines().count(), 3);
        assert!(!page(&company.ben.get(path).await, 200).contains("/activity/export"));
        page(&company.ben.get(&format!("{path}/export")).await, 403);
    }

    async fn settings_are_saved_or_shown_again_and_tell_what_roles_may(app: &TestApp) {
        let company = company(app).await;
        let path = "/organizations/grid-works/settings";
        let html = page(&submit(&company.ada, path, &[("name", " "), ("description", "kept"), ("billing_email", "x")]).await, 422);
        assert!(html.contains("This must not be empty.") && html.contains("does not look like an e-mail address") && html.contains("kept"));
        let form = [("name", "Grid & Works"), ("description", "New"), ("billing_email", "bills@grid.example")];
        leads_to(&submit(&company.ada, path, &form).await, path);
        let html = page(&company.ada.get(path).await, 200);
        assert!(html.contains("Saved.") && html.contains("Grid &#38; Works") && html.contains("Maintainer (you)"));
        let html = page(&company.ben.get(path).await, 200);
        assert!(html.contains("Viewer (you)") && html.contains("Editors and maintainers can change this.") && !html.contains("settings-confirm"));
    }

    async fn strangers_see_none_of_an_organizations_pages(app: &TestApp) {
        company(app).await;
        let eve = app.signed_in(&app.person_with_password("eve").await).await;
        for tab in ["", "/members", "/activity", "/settings"] {
            page(&eve.get(&format!("/organizations/grid-works{tab}")).await, 404);
        }
        page(&submit(&eve, "/organizations/grid-works/settings", &[("name", "Mine")]).await, 404);
    }

    async fn the_api_reference_is_a_page_for_everybody(app: &TestApp) {
        let html = page(&app.anonymous().get("/api/docs").await, 200);
        assert!(html.contains("/api/v1/organizations/{org}/members") && html.contains("NewMembersBody"));
    }

    async fn the_number_of_statements_of_a_page_does_not_depend_on_its_rows(app: &TestApp) {
        let company = company(app).await;
        let pages = ["/organizations", "/organizations/grid-works", "/organizations/grid-works/members", "/organizations/grid-works/activity"];
        let count = async || {
            let mut counts = Vec::new();
            for path in pages {
                let before = app.statements();
                page(&company.ada.get(path).await, 200);
                counts.push(app.statements() - before);
            }
            counts
        };
        let few = count().await;
        assert_eq!(few, EXPECTED);
        for number in 0..12 {
            let name = format!("person{number}");
            app.person(&name).await;
            submit(&company.ada, "/organizations/grid-works/members", &[("email", &format!("{name}@people.example")), ("role", "viewer")]).await;
            submit(&company.ada, "/organizations/new", &[("name", &format!("Company {number}"))]).await;
        }
        page(&company.ada.get("/account").await, 200);
        assert_eq!(count().await, few);
    }
}

/// Session, what the page shows, and the counters around it.
const EXPECTED: [u64; 4] = [4, 16, 8, 6];
