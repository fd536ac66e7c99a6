//! What is told of services: to operators what waits for their review, to maintainers what became of theirs and of what
//! they subscribe.

use serde_json::Value;
use stoa_domain::{
    events::{Event, EventKind},
    ids::{OrganizationId, UserId},
    mail::Mail,
    users::User,
};
use stoa_store::{Conn, members, organizations::Named, users};

use super::handovers;
use crate::Result;

/// Who may be told of a page of events.
#[derive(Debug, Default)]
pub(super) struct Recipients {
    /// The organization's maintainers.
    pub maintainers: Vec<UserId>,
    /// The operators.
    pub operators: Vec<User>,
}

fn kind(event: &Event) -> Option<EventKind> {
    event.kind.parse().ok()
}

/// Whether somebody is told of an event of a service; `None` for events of other things.
pub(super) fn is_told(event: &Event) -> Option<bool> {
    match kind(event)? {
        one if handovers::is_of_one(one) => Some(handovers::news(event).is_some()),
        EventKind::ServiceReviewAsked | EventKind::ServiceReviewRejected => Some(true),
        EventKind::ServiceSuspended | EventKind::ServiceUnsuspended => Some(true),
        // The provider knows what it does; its subscribers are told.
        EventKind::ServiceDeprecated => Some(!is_providers(event)),
        EventKind::ServicePublished => Some(event.json()["reviewed"] == true),
        _ => None,
    }
}

/// Whether an event stands in the log of the service's provider.
fn is_providers(event: &Event) -> bool {
    event.json()["provider"]["id"].as_str() == Some(event.organization.to_string().as_str())
}

/// Who is to be told of a page of events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    maintainers: bool,
    operators: bool,
}

/// Who is to be told of events, some of which may be of services.
pub(super) fn wanted(told: &[&Event]) -> Wanted {
    let asks = |event: &Event| kind(event) == Some(EventKind::ServiceReviewAsked);
    let of_services = |event: &Event| is_told(event) == Some(true);
    Wanted { maintainers: told.iter().any(|event| of_services(event) && !asks(event)), operators: told.iter().any(|event| asks(event)) }
}

/// Reads who may be told, where somebody is.
pub(super) async fn recipients(conn: &mut Conn, organization: OrganizationId, wanted: Wanted) -> Result<Recipients> {
    let maintainers = if wanted.maintainers { members::maintainers(conn, organization).await? } else { Vec::new() };
    let operators = if wanted.operators { users::operators(conn).await? } else { Vec::new() };
    Ok(Recipients { maintainers, operators })
}

/// The mail of an event of a service, as an organization is told of it.
pub(super) fn mail(event: &Event, told: &Named, public_url: &str, by: &str) -> Option<Mail> {
    if is_told(event) != Some(true) {
        return None;
    }
    if handovers::is_of_one(kind(event)?) {
        return handovers::mail(event, told, public_url, by);
    }
    let data = event.json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (organization, service, reason) = (told.name.clone(), text(&data["name"]), text(&data["reason"]));
    let place = if is_providers(event) { format!("services/{}", text(&data["handle"])) } else { "subscriptions".to_owned() };
    let link = format!("{public_url}/organizations/{}/{place}", told.handle);
    Some(match kind(event)? {
        EventKind::ServiceReviewAsked => {
            let link = format!("{public_url}/operator/services/{}", event.subject.id);
            Mail::ServiceReviewAsked { organization, service, link, by: by.to_owned() }
        }
        EventKind::ServicePublished => Mail::ServiceReviewed { organization, service, published: true, reason, link },
        EventKind::ServiceReviewRejected => Mail::ServiceReviewed { organization, service, published: false, reason, link },
        EventKind::ServiceDeprecated => {
            let on = data["deprecation"]["date"].as_str().and_then(|day| day.parse().ok())?;
            let successor = data["deprecation"]["successor"]["name"].as_str().map(str::to_owned);
            Mail::ServiceDeprecated { organization, service, provider: text(&data["provider"]["name"]), on, successor, link }
        }
        EventKind::ServiceSuspended => Mail::ServiceSuspended { organization, service, suspended: true, reason, link },
        EventKind::ServiceUnsuspended => Mail::ServiceSuspended { organization, service, suspended: false, reason, link },
        _ => return None,
    })
}
