//! The activity of an organization: its event log, for reading.

use super::{Choice, OrgHead, Pager, Shell, TimelineEntry, filters};

/// `GET /organizations/{org}/activity?type=&before=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "activity.html")]
pub struct ActivityPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// The kinds of events; the first is “Everything” with an empty value.
    pub types: Vec<Choice>,
    /// The days, the latest first.
    pub days: Vec<ActivityDay>,
    /// Leads to older events.
    pub pager: Pager,
}

/// The events of one day.
#[derive(Debug, Clone, Default)]
pub struct ActivityDay {
    /// The day.
    pub label: String,
    /// Its events, the latest first.
    pub events: Vec<TimelineEntry>,
}

#[cfg(test)]
mod tests {
    use super::{ActivityDay, ActivityPage};
    use crate::pages::{Choice, sample};

    #[test]
    fn events_stand_under_their_day() {
        let mut page = ActivityPage {
            shell: sample::shell("organizations"),
            org: sample::org("activity"),
            types: vec![Choice::new("", "Everything", true), Choice::new("subscription", "Subscriptions", false)],
            days: vec![
                ActivityDay { label: "Today, 21 November 2026".into(), events: sample::history() },
                ActivityDay { label: "20 November 2026".into(), events: sample::history() },
            ],
            ..ActivityPage::default()
        };
        assert!(sample::render("activity", &page).contains("Today, 21 November 2026"));
        page.days.clear();
        assert!(sample::render("activity-empty", &page).contains("Nothing of this kind"));
    }
}
