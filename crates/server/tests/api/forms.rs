//! Pages as browsers use them without scripts: who is signed in, what is sent, what is shown.

use reqwest::Method;
use serde_json::json;
use stoa_testkit::{Answer, Client, Person, TestApp};

/// A new member of an organization, signed in.
pub async fn member(app: &TestApp, maintainer: &Person, organization: &str, name: &str, role: &str) -> (Person, Client) {
    let person = app.person_with_password(name).await;
    let member = json!({"members": [{"email": person.user.email, "role": role}]});
    maintainer.post(&format!("/api/v1/organizations/{organization}/members"), member).await.expect(200);
    let browser = app.signed_in(&person).await;
    (person, browser)
}

/// Sends a form.
pub async fn send(browser: &Client, path: &str, form: &[(&str, &str)]) -> Answer {
    browser.send(browser.request(Method::POST, path).form(form)).await
}

/// The page was answered so, and has these words.
#[track_caller]
pub fn shows(answer: &Answer, status: u16, words: &[&str]) {
    assert_eq!(answer.status, status, "{answer:?}");
    let text = answer.text();
    for word in words {
        assert!(text.contains(word), "no “{word}” in {text}");
    }
}
