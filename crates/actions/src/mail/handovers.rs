//! What is told of hand-overs: to the receiving side that something is offered, to both sides what became of it, to
//! subscribers who provides what they subscribe.

use serde_json::Value;
use stoa_domain::{
    events::{Event, EventKind},
    mail::{HandoverNews, Mail},
};
use stoa_store::organizations::Named;

/// What an event tells the organization in whose log it stands; `None` where nobody there is told.
pub(super) fn news(event: &Event) -> Option<HandoverNews> {
    let data = event.json();
    let is = |side: &str| data[side]["id"].as_str() == Some(event.organization.to_string().as_str());
    match event.kind.parse::<EventKind>().ok()? {
        EventKind::HandoverOffered if is("to") => Some(HandoverNews::Offered),
        EventKind::HandoverDeclined if is("from") => Some(HandoverNews::Declined),
        EventKind::HandoverWithdrawn if is("to") => Some(HandoverNews::Withdrawn),
        EventKind::HandoverExpired => Some(HandoverNews::Expired),
        EventKind::ServiceHandedOver if is("from") || is("to") => Some(HandoverNews::Accepted),
        EventKind::ServiceHandedOver => Some(HandoverNews::Subscribed),
        _ => None,
    }
}

/// Whether an event is of a hand-over.
pub(super) fn is_of_one(kind: EventKind) -> bool {
    kind == EventKind::ServiceHandedOver || kind.noun() == "handover"
}

/// The mail of an event, as an organization is told of it.
pub(super) fn mail(event: &Event, told: &Named, public_url: &str, by: &str) -> Option<Mail> {
    let news = news(event)?;
    let data = event.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |key: &str| text(&data[key]["name"]);
    let place = match news {
        HandoverNews::Subscribed => "subscriptions".to_owned(),
        HandoverNews::Accepted if data["to"]["id"].as_str() == Some(told.id.to_string().as_str()) => {
            format!("services/{}", text(&data["service"]["handle"]))
        }
        HandoverNews::Accepted => format!("handovers/{}", text(&data["handover"])),
        _ => format!("handovers/{}", event.subject.id),
    };
    Some(Mail::Handover {
        news,
        organization: told.name.clone(),
        service: name("service"),
        from: name("from"),
        to: name("to"),
        by: by.to_owned(),
        note: text(&data["note"]),
        until: data["expires_at"].as_str().and_then(|until| until.parse().ok()),
        link: format!("{public_url}/organizations/{}/{place}", told.handle),
    })
}
