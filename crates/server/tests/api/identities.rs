//! Signing in with an account of another provider: a real one on loopback, honest and otherwise.

use reqwest::{Method, Url};
use stoa_testkit::{Answer, Client, Manners, Node, OpenIdProvider, PASSWORD, Setup, TestApp, api_tests, totp_code};

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, path), "{answer:?}");
}

async fn start(app: &TestApp) -> (OpenIdProvider, Node) {
    let provider = OpenIdProvider::start(app.clock.clone()).await;
    let node = app.with_providers(vec![provider.configured("Example")]).await;
    (provider, node)
}

/// The path and query of an address of the node.
fn local(node: &Node, address: &str) -> String {
    address.strip_prefix(&node.url).unwrap_or_else(|| panic!("{address} is not of {}", node.url)).to_owned()
}

/// Goes to the provider and back, to the answer of the callback.
async fn visit_provider(node: &Node, browser: &Client, address: &str) -> Answer {
    let there = browser.foreign(address).await;
    assert_eq!(there.status, 303, "{there:?}");
    browser.get(&local(node, there.header("location"))).await
}

async fn sign_in(node: &Node, browser: &Client, next: &str) -> Answer {
    let begun = browser.get(&format!("/sign-in/external/example?next={next}")).await;
    assert_eq!(begun.status, 303, "{begun:?}");
    visit_provider(node, browser, begun.header("location")).await
}

async fn link(node: &Node, browser: &Client) -> Answer {
    let begun = submit(browser, "/account/security/providers/example/link", &[]).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let html = begun.text().replace("&#38;", "&");
    let address = html.split("content=\"0;url=").nth(1).unwrap().split('"').next().unwrap().to_owned();
    visit_provider(node, browser, &address).await
}

async fn sign_in_by_password(browser: &Client, email: &str) {
    leads_to(&submit(browser, "/sign-in", &[("email", email), ("password", PASSWORD)]).await, "/organizations");
}

api_tests! {
    async fn a_verified_address_opens_a_new_account_and_then_the_same_again(app: &TestApp) {
        let (_provider, node) = start(app).await;
        let browser = node.browser();
        assert!(browser.get("/sign-in").await.text().contains("Sign in with Example"));
        leads_to(&sign_in(&node, &browser, "%2Frequests").await, "/requests");
        let html = browser.get("/account").await.text();
        assert!(html.contains("ada@people.example") && html.contains("Ada There"), "{html}");
        let again = node.browser();
        leads_to(&sign_in(&node, &again, "").await, "/organizations");
        assert!(again.get("/account").await.text().contains("ada@people.example"));
        assert!(again.get("/account/security").await.text().contains("Unlink"));
        // Its only way in can't be taken away, and proving oneself again goes by the provider.
        let id = again.get("/account/security").await.text().split("/identities/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        leads_to(&submit(&again, &format!("/account/security/identities/{id}/unlink"), &[]).await, "/account/security#external");
        assert!(again.get("/account/security").await.text().contains("Nothing else opens your account"));
    }

    async fn the_request_carries_what_binds_the_answer_to_it(app: &TestApp) {
        let (_provider, node) = start(app).await;
        let begun = node.browser().get("/sign-in/external/example").await;
        let address = Url::parse(begun.header("location")).unwrap();
        let has = |name: &str| address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        assert_eq!(has("response_type").as_deref(), Some("code"));
        assert_eq!(has("code_challenge_method").as_deref(), Some("S256"));
        assert_eq!(has("redirect_uri").unwrap(), format!("{}/sign-in/external/example/callback", node.url));
        assert!(has("nonce").unwrap().len() >= 32 && has("state").unwrap().len() >= 32 && has("scope").unwrap().contains("openid"));
        let cookie = begun.header("set-cookie");
        assert!(cookie.contains("stoa_half=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        assert_eq!(node.browser().get("/sign-in/external/nobody").await.status, 404);
    }

    async fn an_answer_that_does_not_pass_the_checks_opens_nothing(app: &TestApp) {
        let (provider, node) = start(app).await;
        for manners in [
            Manners::WrongNonce,
            Manners::WrongAudience,
            Manners::Expired,
            Manners::WrongIssuer,
            Manners::WrongState,
            Manners::UnknownKey,
            Manners::Refuses,
        ] {
            provider.behave(manners);
            let browser = node.browser();
            let refused = sign_in(&node, &browser, "").await;
            assert_eq!(refused.status, 422, "{manners:?}: {refused:?}");
            assert!(refused.text().contains("role=\"alert\""), "{manners:?}");
            leads_to(&browser.get("/account").await, "/sign-in?next=%2Faccount");
        }
        provider.behave(Manners::Honest);
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
    }

    async fn changed_keys_need_nothing(app: &TestApp) {
        let (provider, node) = start(app).await;
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
        provider.rotate_keys();
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
    }

    async fn an_answer_counts_once_and_in_the_browser_that_asked(app: &TestApp) {
        let (_provider, node) = start(app).await;
        let browser = node.browser();
        let begun = browser.get("/sign-in/external/example").await;
        let there = browser.foreign(begun.header("location")).await;
        let callback = local(&node, there.header("location"));
        assert_eq!(node.browser().get(&callback).await.status, 422, "another browser");
        leads_to(&browser.get(&callback).await, "/organizations");
        assert_eq!(node.browser().get(&callback).await.status, 422);
    }

    async fn an_address_that_the_provider_has_not_verified_opens_nothing(app: &TestApp) {
        let (provider, node) = start(app).await;
        provider.sign_in("ada-there", "ada@people.example", false);
        let refused = sign_in(&node, &node.browser(), "").await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("does not say that it has verified your address"));
    }

    async fn an_account_with_a_password_is_linked_only_when_signed_in_or_when_its_address_is_verified(app: &TestApp) {
        let (_provider, node) = start(app).await;
        let ada = app.person_with_password("ada").await;
        let refused = sign_in(&node, &node.browser(), "").await;
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("there is an account with your address") || refused.text().contains("There is an account with your address"));

        let browser = node.browser();
        sign_in_by_password(&browser, "ada@people.example").await;
        leads_to(&link(&node, &browser).await, "/account/security#external");
        assert!(browser.get("/account/security").await.text().contains("The account is linked."));
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
        // Unlinked, it opens nothing again.
        let id = browser.get("/account/security").await.text().split("/identities/").nth(1).unwrap().split('/').next().unwrap().to_owned();
        leads_to(&submit(&browser, &format!("/account/security/identities/{id}/unlink"), &[]).await, "/account/security#external");
        assert_eq!(submit(&browser, &format!("/account/security/identities/{id}/unlink"), &[]).await.status, 404);
        assert_eq!(sign_in(&node, &node.browser(), "").await.status, 422);

        let mut act = stoa_actions::Act::begin(&app.stoa, stoa_actions::Caller::system(app.stoa.clock.now())).await.unwrap();
        stoa_actions::users::address_verified(&mut act, &ada.user).await.unwrap();
        act.commit().await.unwrap();
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
    }

    async fn somebody_new_gets_an_account_only_where_they_could_sign_up(app: &TestApp) {
        for (who, email, refusal) in [
            ("closed", "ada@people.example", "Accounts are created by whoever runs this installation"),
            ("grid.example, works.example", "ada@people.example", "accounts here are for addresses of grid.example, works.example"),
            ("grid.example", "ada@sub.grid.example", "accounts here are for addresses of grid.example"),
            ("people.example", "ada@people.example", ""),
        ] {
            let setup = Setup { sign_up: who.parse().unwrap(), ..Setup::default() };
            let fresh = TestApp::start_with(app.database().fresh().await, setup).await;
            let (provider, node) = start(&fresh).await;
            provider.sign_in("ada-there", email, true);
            // An invitation changes nothing: whoever could not sign up by the link of a mail can't here either.
            let cleo = fresh.person("cleo").await;
            cleo.post("/api/v1/organizations", serde_json::json!({"name": "Grid"})).await.expect(201);
            let invited = serde_json::json!({"members": [{"email": email, "role": "editor"}]});
            cleo.post("/api/v1/organizations/grid/members", invited).await.expect(200);
            let browser = node.browser();
            let answer = sign_in(&node, &browser, "").await;
            if refusal.is_empty() {
                leads_to(&answer, "/organizations");
                assert_eq!(browser.get("/organizations/grid").await.status, 200, "invited, and now a member");
            } else {
                assert_eq!(answer.status, 422, "{who}: {answer:?}");
                assert!(answer.text().contains(refusal), "{who}: {}", answer.text());
                assert_eq!(browser.get("/account").await.status, 303, "{who}");
                let mut conn = fresh.stoa.db.read().await.unwrap();
                assert_eq!(stoa_store::users::list(&mut conn, "", None, 10).await.unwrap().len(), 1, "{who}");
                drop(conn);
                // The operator makes the account, and it opens, with what waited for it.
                let prepared = stoa_actions::users::prepare(&fresh.stoa, stoa_actions::users::NewUser { email: email.into(), ..Default::default() }).await.unwrap();
                let mut act = stoa_actions::Act::begin(&fresh.stoa, stoa_actions::Caller::system(fresh.stoa.clock.now())).await.unwrap();
                stoa_actions::users::create(&mut act, prepared).await.unwrap();
                act.commit().await.unwrap();
                leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
                // Once linked it opens whatever the address there is.
                provider.sign_in("ada-there", "other@elsewhere.example", true);
                let again = node.browser();
                leads_to(&sign_in(&node, &again, "").await, "/organizations");
                assert_eq!(again.get("/organizations/grid").await.status, 200);
            }
            fresh.finish().await;
        }
    }

    async fn one_account_there_opens_one_account_here(app: &TestApp) {
        let (_provider, node) = start(app).await;
        app.person_with_password("ben").await;
        leads_to(&sign_in(&node, &node.browser(), "").await, "/organizations");
        let bens = node.browser();
        sign_in_by_password(&bens, "ben@people.example").await;
        leads_to(&link(&node, &bens).await, "/account/security#external");
        assert!(bens.get("/account/security").await.text().contains("is linked to another account here"));
    }

    async fn a_second_factor_is_asked_for_after_another_provider_too(app: &TestApp) {
        let (_provider, node) = start(app).await;
        let browser = node.browser();
        leads_to(&sign_in(&node, &browser, "").await, "/organizations");
        let html = submit(&browser, "/account/security/totp", &[]).await.text();
        let field = |from: &str, to: &str| html.split(from).nth(1).unwrap().split(to).next().unwrap().to_owned();
        let (ceremony, secret) = (field("name=\"ceremony\" value=\"", "\""), field("id=\"totp-secret\">", "<"));
        let code = totp_code(&secret, app.stoa.clock.now());
        assert_eq!(submit(&browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await.status, 201);
        let again = node.browser();
        leads_to(&sign_in(&node, &again, "%2Frequests").await, "/sign-in/second-step?next=%2Frequests");
        assert_eq!(again.get("/account").await.status, 303);
    }

    async fn a_provider_that_does_not_answer_is_no_fault_of_ours(app: &TestApp) {
        let (provider, node) = start(app).await;
        drop(provider);
        let refused = node.browser().get("/sign-in/external/example").await;
        assert_eq!(refused.status, 422, "{refused:?}");
        assert!(refused.text().contains("could not be asked"));
    }
}
