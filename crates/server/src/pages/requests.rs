//! Requests: the inbox over all organizations, and those of one organization.

use super::marketplace::FilterLink;
use super::{Badge, Field, OrgHead, Pager, Pair, PermissionLine, Shell, TimelineEntry, filters};

/// `GET /requests`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "requests.html")]
pub struct RequestsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// “Waiting for me”, “Made by me”, “Decided”.
    pub filters: Vec<FilterLink>,
    /// The requests.
    pub requests: Vec<RequestCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// `GET /organizations/{org}/requests`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "org_requests.html")]
pub struct OrgRequestsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// “Open”, “Decided”.
    pub filters: Vec<FilterLink>,
    /// The requests.
    pub requests: Vec<RequestCard>,
    /// Leads through a long list.
    pub pager: Pager,
}

/// One request. Its form sends `reason` and `back` to `/requests/{id}/approve` or `/reject`.
#[derive(Debug, Clone, Default)]
pub struct RequestCard {
    /// Its id.
    pub id: String,
    /// What is asked, such as “Aurelia Energy asks to subscribe Load forecast”.
    pub title: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub when: String,
    /// Its state.
    pub state: Badge,
    /// Plan, projects, price, step and the like.
    pub facts: Vec<Pair>,
    /// The requester's note; may be empty.
    pub note: String,
    /// What the service would be allowed to do; may be empty.
    pub permissions: Vec<PermissionLine>,
    /// Whether I may decide it.
    pub can_decide: bool,
    /// Whether I may withdraw it.
    pub can_withdraw: bool,
    /// Who decides, for those who may not; may be empty.
    pub who_can: String,
    /// What was typed as the reason, with its error.
    pub reason: Field,
    /// What was decided so far.
    pub history: Vec<TimelineEntry>,
    /// The page to return to after the decision.
    pub back: String,
}

#[cfg(test)]
mod tests {
    use super::{OrgRequestsPage, RequestsPage};
    use crate::pages::marketplace::FilterLink;
    use crate::pages::{Field, sample};

    fn filters() -> Vec<FilterLink> {
        let filter = |label: &str, active| FilterLink {
            label: label.into(),
            href: "/requests".into(),
            count: if active { "2".into() } else { String::new() },
            active,
        };
        vec![filter("Waiting for me", true), filter("Made by me", false), filter("Decided", false)]
    }

    #[test]
    fn the_inbox_offers_decisions_where_they_are_mine() {
        let mut refused = sample::request("req_2", true);
        refused.reason = Field::wrong("", "Say why, so that they can mend it.");
        let page = RequestsPage {
            shell: sample::shell("requests"),
            filters: filters(),
            requests: vec![sample::request("req_1", true), refused],
            ..RequestsPage::default()
        };
        let html = sample::render("requests", &page);
        assert!(html.contains("/requests/req_1/reject") && html.contains("Say why"));
    }

    #[test]
    fn others_are_told_who_decides() {
        let mut page = OrgRequestsPage {
            shell: sample::shell("organizations"),
            org: sample::org("requests"),
            filters: filters(),
            requests: vec![sample::request("req_1", false)],
            ..OrgRequestsPage::default()
        };
        let html = sample::render("org-requests", &page);
        assert!(html.contains("Ola Birke can decide this") && html.contains("/requests/req_1/withdraw"));
        page.requests.clear();
        assert!(sample::render("org-requests-empty", &page).contains("Nothing here"));
    }
}
