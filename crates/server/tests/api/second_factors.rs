//! The authenticator app, recovery codes, and the second step of signing in.

use reqwest::Method;
use stoa_domain::time::SECOND;
use stoa_store::params;
use stoa_testkit::{Answer, Client, PASSWORD, Person, TestApp, api_tests, totp_code};

async fn submit(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

#[track_caller]
fn leads_to(answer: &Answer, path: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, path), "{answer:?}");
}

fn between(html: &str, from: &str, to: &str) -> String {
    let rest = html.split(from).nth(1).unwrap_or_else(|| panic!("no {from} in {html}"));
    rest.split(to).next().unwrap().to_owned()
}

/// A person with an authenticator app.
struct Careful {
    person: Person,
    browser: Client,
    secret: String,
    codes: Vec<String>,
}

impl Careful {
    async fn new(app: &TestApp, name: &str) -> Self {
        let person = app.person_with_password(name).await;
        let browser = app.signed_in(&person).await;
        let (ceremony, secret) = begin(&browser).await;
        let code = totp_code(&secret, app.stoa.clock.now());
        let done = submit(&browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await;
        assert_eq!(done.status, 201, "{done:?}");
        let codes = between(&done.text(), "id=\"recovery-codes\">", "</code>").lines().map(str::to_owned).collect();
        Self { person, browser, secret, codes }
    }

    /// The code that counts next: each counts once, so the clock moves on.
    fn next_code(&self, app: &TestApp) -> String {
        app.clock.advance(30 * SECOND);
        totp_code(&self.secret, app.stoa.clock.now())
    }

    /// A browser after the first step.
    async fn half(&self, app: &TestApp) -> Client {
        let browser = app.browser();
        let form = [("email", self.person.user.email.as_str()), ("password", PASSWORD), ("next", "/requests")];
        leads_to(&submit(&browser, "/sign-in", &form).await, "/sign-in/second-step?next=%2Frequests");
        browser
    }
}

async fn begin(browser: &Client) -> (String, String) {
    let html = submit(browser, "/account/security/totp", &[]).await;
    assert_eq!(html.status, 200, "{html:?}");
    let html = html.text();
    (between(&html, "name=\"ceremony\" value=\"", "\""), between(&html, "id=\"totp-secret\">", "<"))
}

api_tests! {
    async fn an_app_counts_only_after_a_right_code(app: &TestApp) {
        let ada = app.person_with_password("ada").await;
        let browser = app.signed_in(&ada).await;
        let (ceremony, secret) = begin(&browser).await;
        let wrong = submit(&browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", "000000")]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text().contains(&secret) && wrong.text().contains("not the code"), "the same secret again");
        // Signing in still takes the password alone.
        leads_to(&submit(&app.browser(), "/sign-in", &[("email", "ada@people.example"), ("password", PASSWORD)]).await, "/organizations");
        let code = totp_code(&secret, app.stoa.clock.now());
        let done = submit(&browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await;
        assert_eq!(done.status, 201);
        assert_eq!(between(&done.text(), "id=\"recovery-codes\">", "</code>").lines().count(), 10);
        let html = browser.get("/account/security").await.text();
        assert!(html.contains("10 left") && !html.contains("id=\"recovery-codes\""), "they are shown once");
        assert_eq!(submit(&browser, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await.status, 422);
        assert_eq!(submit(&browser, "/account/security/totp", &[]).await.status, 409);
    }

    async fn the_secret_is_sealed_and_the_codes_are_hashed(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let mut conn = app.stoa.db.read().await.unwrap();
        let row = conn.fetch_one("select sealed_secret from totp_secrets", params![]).await.unwrap();
        let sealed: Vec<u8> = row.get(0).unwrap();
        assert_eq!(sealed.len(), 12 + 20 + 16, "nonce, secret, tag");
        let rows = conn.fetch_all("select code_hash from recovery_codes", params![]).await.unwrap();
        assert_eq!(rows.len(), 10);
        assert!(careful.codes.iter().all(|code| code.len() == 19));
        // Another person's row does not open with it: what is sealed is bound to its owner.
        let ben = Careful::new(app, "ben").await;
        let mut tx = app.stoa.db.begin().await.unwrap();
        tx.execute("update totp_secrets set sealed_secret = $2 where user_id = $1", params![ben.person.id(), sealed]).await.unwrap();
        tx.commit().await.unwrap();
        let half = ben.half(app).await;
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &careful.next_code(app))]).await.status, 500);
    }

    async fn the_second_step_takes_a_code_and_leads_on(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let half = careful.half(app).await;
        // Half signed in is not signed in.
        leads_to(&half.get("/account").await, "/sign-in?next=%2Faccount");
        leads_to(&half.get("/organizations").await, "/sign-in?next=%2Forganizations");
        assert!(half.get("/sign-in/second-step?next=%2Frequests").await.text().contains("value=\"/requests\""));
        let wrong = submit(&half, "/sign-in/second-step", &[("code", "123 456"), ("next", "/requests")]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.text().contains("That code is wrong"));
        let code = careful.next_code(app);
        leads_to(&submit(&half, "/sign-in/second-step", &[("code", &code), ("next", "/requests")]).await, "/requests");
        assert_eq!(half.get("/account").await.status, 200);
        // What is done is done: the half-done sign-in opens nothing again.
        leads_to(&submit(&app.browser(), "/sign-in/second-step", &[("code", &code)]).await, "/sign-in");
    }

    async fn a_code_is_never_accepted_twice_and_clocks_may_differ_by_one_step(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let same = totp_code(&careful.secret, app.stoa.clock.now());
        let half = careful.half(app).await;
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &same)]).await.status, 422, "it ended the set-up already");
        app.clock.advance(90 * SECOND);
        let now = app.stoa.clock.now();
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &totp_code(&careful.secret, now.plus(-60 * SECOND)))]).await.status, 422);
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &totp_code(&careful.secret, now.plus(60 * SECOND)))]).await.status, 422);
        let ahead = totp_code(&careful.secret, now.plus(30 * SECOND));
        leads_to(&submit(&half, "/sign-in/second-step", &[("code", &ahead)]).await, "/organizations");
        // Once the code of a later step was used, those before it are over.
        let half = careful.half(app).await;
        for used in [ahead, totp_code(&careful.secret, now), totp_code(&careful.secret, now.plus(-30 * SECOND))] {
            assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &used)]).await.status, 422);
        }
    }

    async fn of_two_who_send_the_same_code_at_once_one_gets_in(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let (one, two) = (careful.half(app).await, careful.half(app).await);
        let code = careful.next_code(app);
        let form = [("code", code.as_str())];
        let (first, second) = tokio::join!(submit(&one, "/sign-in/second-step", &form), submit(&two, "/sign-in/second-step", &form));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [303, 422]);
    }

    async fn a_recovery_code_opens_once(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let half = careful.half(app).await;
        let typed = careful.codes[3].to_uppercase().replace('-', " ");
        leads_to(&submit(&half, "/sign-in/second-step", &[("code", &typed)]).await, "/organizations");
        assert!(half.get("/account/security").await.text().contains("9 left"));
        let half = careful.half(app).await;
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &careful.codes[3])]).await.status, 422);
        let renewed = submit(&careful.browser, "/account/security/recovery-codes", &[]).await;
        assert_eq!(renewed.status, 201);
        assert!(careful.browser.get("/account/security").await.text().contains("10 left"));
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &careful.codes[4])]).await.status, 422, "the old ones are over");
        let fresh = between(&renewed.text(), "id=\"recovery-codes\">", "</code>").lines().next().unwrap().to_owned();
        leads_to(&submit(&half, "/sign-in/second-step", &[("code", &fresh)]).await, "/organizations");
    }

    async fn after_five_wrong_codes_the_sign_in_begins_anew(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let half = careful.half(app).await;
        for _ in 0..5 {
            assert_eq!(submit(&half, "/sign-in/second-step", &[("code", "000000")]).await.status, 422);
        }
        let code = careful.next_code(app);
        let over = submit(&half, "/sign-in/second-step", &[("code", &code)]).await;
        assert_eq!(over.status, 422);
        assert!(over.text().contains("begin again"), "{over:?}");
        assert_eq!(half.get("/account").await.status, 303);
    }

    async fn a_half_done_sign_in_is_given_up_after_ten_minutes(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let half = careful.half(app).await;
        app.clock.advance(10 * 60 * SECOND);
        let code = careful.next_code(app);
        assert_eq!(submit(&half, "/sign-in/second-step", &[("code", &code)]).await.status, 422);
        leads_to(&half.get("/sign-in/second-step").await, "/sign-in");
    }

    async fn a_half_done_sign_in_ends_with_the_password_it_began_with(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        let half = careful.half(app).await;
        leads_to(&submit(&careful.browser, "/account/password", &[("password", PASSWORD)]).await, "/account");
        app.mail_to("ada@people.example").await;
        let over = submit(&half, "/sign-in/second-step", &[("code", &careful.next_code(app))]).await;
        assert_eq!(over.status, 422, "{over:?}");
        let half = careful.half(app).await;
        assert_eq!(submit(&app.browser(), "/forgot-password", &[("email", "ada@people.example")]).await.status, 200);
        let link = app.mail_to("ada@people.example").await.link();
        let form = [("token", link.split_once("token=").unwrap().1), ("password", "another good passphrase")];
        assert_eq!(submit(&app.browser(), "/set-password", &form).await.status, 200);
        app.mail_to("ada@people.example").await;
        let over = submit(&half, "/sign-in/second-step", &[("code", &careful.next_code(app))]).await;
        assert_eq!(over.status, 422, "{over:?}");
        assert_eq!(half.get("/account").await.status, 303);
    }

    async fn turned_off_the_password_alone_opens_again_and_no_code_is_left(app: &TestApp) {
        let careful = Careful::new(app, "ada").await;
        leads_to(&submit(&careful.browser, "/account/security/totp/disable", &[]).await, "/account/security");
        let form = [("email", "ada@people.example"), ("password", PASSWORD)];
        leads_to(&submit(&app.browser(), "/sign-in", &form).await, "/organizations");
        assert_eq!(submit(&careful.browser, "/account/security/totp/disable", &[]).await.status, 404);
        assert_eq!(submit(&careful.browser, "/account/security/recovery-codes", &[]).await.status, 409);
        let mut conn = app.stoa.db.read().await.unwrap();
        assert_eq!(conn.fetch_one("select count(*) from recovery_codes", params![]).await.unwrap().get::<i64>(0).unwrap(), 0);
    }

    async fn nobody_ends_another_persons_set_up(app: &TestApp) {
        let (ada, ben) = (app.person_with_password("ada").await, app.person_with_password("ben").await);
        let (adas, bens) = (app.signed_in(&ada).await, app.signed_in(&ben).await);
        let (ceremony, secret) = begin(&adas).await;
        let code = totp_code(&secret, app.stoa.clock.now());
        assert_eq!(submit(&bens, "/account/security/totp/confirm", &[("ceremony", &ceremony), ("code", &code)]).await.status, 404);
        assert_eq!(submit(&bens, "/account/security/passkeys/psk_01h455vb4pex5vsknk084sn02q/remove", &[]).await.status, 404);
        assert_eq!(submit(&app.browser(), "/account/security/totp", &[]).await.status, 303);
        // Passkeys are not made for a bare IP address, and nobody is asked for one.
        assert!(adas.get("/account/security").await.text().contains("Browsers make passkeys only"));
        assert_eq!(submit(&adas, "/account/security/passkeys", &[("name", "Laptop")]).await.status, 409);
        assert_eq!(submit(&adas, "/account/security/passkeys", &[("name", "")]).await.status, 422);
        assert_eq!(submit(&app.browser(), "/sign-in/passkey", &[("ceremony", "x"), ("answer", "{}")]).await.status, 422);
        assert_eq!(submit(&app.browser(), "/sign-in/second-step/passkey", &[]).await.status, 401);
    }
}
