//! Who is told of the setting up of subscriptions: the provider that one waits, the subscriber how it went.

use stoa_domain::{
    events::{Event, EventKind},
    ids::UserId,
    mail::{Mail, SetupNews},
};

/// What an event tells of a subscription that is set up, in the log in which it is told.
pub(super) fn news(event: &Event) -> Option<SetupNews> {
    let data = event.json();
    let (news, side) = match event.kind.parse::<EventKind>().ok()? {
        EventKind::SubscriptionProvisioning => (SetupNews::Waits, "provider"),
        EventKind::SubscriptionReady => (SetupNews::Ready, "organization"),
        EventKind::SubscriptionFailed => (SetupNews::Failed, "organization"),
        _ => return None,
    };
    (data[side]["id"] == event.organization.to_string()).then_some(news)
}

/// Whoever asked for the subscription, who is told how it went beside the maintainers.
pub(super) fn requester(event: &Event) -> Option<UserId> {
    news(event).filter(|news| *news != SetupNews::Waits)?;
    event.json()["requested_by"].as_str()?.parse().ok()
}

/// The mail of an event that [`news`] knows; `link` leads to a page of the organization that is told.
pub(super) fn mail(event: &Event, organization: &str, link: impl Fn(&str) -> String) -> Mail {
    let data = event.json();
    let name = |key: &str| data[key]["name"].as_str().unwrap_or_default().to_owned();
    let news = news(event).unwrap_or(SetupNews::Waits);
    let (other, path) = match news {
        SetupNews::Waits => (name("organization"), format!("/services/{}", data["service"]["id"].as_str().unwrap_or_default())),
        SetupNews::Ready | SetupNews::Failed => (name("provider"), format!("/subscriptions/{}/permissions", event.subject.id)),
    };
    Mail::Setup {
        organization: organization.to_owned(),
        service: name("service"),
        other,
        news,
        reason: data["reason"].as_str().unwrap_or_default().to_owned(),
        until: data["due_at"].as_str().and_then(|at| at.parse().ok()),
        link: link(&path),
    }
}
