//! The costs of an organization.

use super::chart::Chart;
use super::{Choice, Field, Kpi, OrgHead, Pair, Shell, filters};

/// `GET /organizations/{org}/costs?from=&to=&group_by=`.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "costs.html")]
pub struct CostsPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Figures such as this month, last month, services, projects with costs.
    pub kpis: Vec<Kpi>,
    /// Such as “Costs by service”.
    pub heading: String,
    /// Such as “1 September to 30 November 2026”.
    pub period: String,
    /// The first day, as `2026-09-01`.
    pub from: Field,
    /// The last day, as `2026-11-30`.
    pub to: Field,
    /// What to group by.
    pub groupings: Vec<Choice>,
    /// Where the same rows are as CSV.
    pub csv_href: String,
    /// The chart of the same numbers.
    pub chart: Chart,
    /// The headings of the cells, one for each thing grouped by.
    pub columns: Vec<String>,
    /// The rows.
    pub rows: Vec<CostRow>,
    /// The sums, one for each currency.
    pub totals: Vec<Pair>,
}

/// One row of costs.
#[derive(Debug, Clone, Default)]
pub struct CostRow {
    /// What it is for, as many cells as there are columns.
    pub cells: Vec<String>,
    /// Its share in thousandths, 0 to 1000.
    pub per_mille: u32,
    /// Its share, such as “38.0 %”.
    pub share: String,
    /// The exact cost with its currency.
    pub cost: String,
}

impl CostsPage {
    /// The heading of a column.
    #[must_use]
    pub fn column(&self, index: &usize) -> &str {
        self.columns.get(*index).map_or("", String::as_str)
    }

    /// What is wrong with the time asked for.
    #[must_use]
    pub fn period_error(&self) -> Option<&String> {
        self.from.error.as_ref().or(self.to.error.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::{CostRow, CostsPage};
    use crate::pages::{Choice, Field, Kpi, Pair, sample};

    #[test]
    fn the_chart_has_its_numbers_as_a_table() {
        let row = |service: &str, project: &str, per_mille| CostRow {
            cells: vec![service.into(), project.into()],
            per_mille,
            share: format!("{}.{} %", per_mille / 10, per_mille % 10),
            cost: "€ 1,604.12".into(),
        };
        let kpi = |label: &str, value: &str| Kpi { label: label.into(), value: value.into(), ..Kpi::default() };
        let mut page = CostsPage {
            shell: sample::shell("organizations"),
            org: sample::org("costs"),
            kpis: vec![kpi("This month", "€ 4,218.36"), kpi("Last month", "€ 3,975.80"), kpi("Subscribed services", "4")],
            heading: "Costs by service and project".into(),
            period: "1 September to 30 November 2026".into(),
            from: Field::new("2026-09-01"),
            to: Field::new("2026-11-30"),
            groupings: vec![Choice::new("service", "Service", true), Choice::new("project", "Project", false)],
            csv_href: "/organizations/aurelia/costs.csv?from=2026-09-01&to=2026-11-30".into(),
            chart: sample::chart(),
            columns: vec!["Service".into(), "Project".into()],
            rows: vec![row("Load forecast", "Wind park Delta", 380), row("Geo tiles", "Grid planning", 233)],
            totals: vec![Pair::new("Total in EUR", "€ 4,218.36")],
        };
        assert!(sample::render("costs", &page).contains("Total in EUR"));
        page.rows.clear();
        page.to = Field::wrong("2026-08-01", "The end is before the beginning.");
        let html = sample::render("costs-empty", &page);
        assert!(html.contains("No costs in this time") && html.contains("before the beginning"));
    }
}
