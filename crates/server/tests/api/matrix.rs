//! The matrix of roles, cell by cell, against the running server: what the documentation and the Settings page say is what
//! the API and the pages do.

use std::cell::Cell;

use reqwest::Method;
use serde_json::{Value, json};
use stoa_domain::permissions::{Permission, Role, Verdict, verdict};
use stoa_testkit::{Answer, Client, Person, TestApp, api_tests};

use crate::trade::{Trade, id};

const GRID: &str = "/api/v1/organizations/grid";

/// A member of Grid in one role, with both ways in.
struct Seat {
    role: Role,
    person: Person,
    browser: Client,
}

/// By which way a cell is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Api,
    Page,
}

/// Grid, which consumes and provides, with a member in each role.
struct Matrix {
    trade: Trade,
    seats: Vec<Seat>,
    application: String,
    made: Cell<u32>,
}

impl Matrix {
    async fn new(app: &TestApp) -> Self {
        let trade = Trade::new(app).await;
        let mut seats = Vec::new();
        for role in Role::ALL {
            let person = app.person_with_password(&format!("the-{role}")).await;
            let members = json!({"members": [{"email": person.user.email, "role": role}]});
            trade.mia.post(&format!("{GRID}/members"), members).await.expect(200);
            let browser = app.signed_in(&person).await;
            seats.push(Seat { role, person, browser });
        }
        let application = json!({"name": "Engine of Grid", "organization": "grid"});
        let application = id(&trade.mia.post("/api/v1/applications", application).await.expect(201));
        Self { trade, seats, application, made: Cell::new(0) }
    }

    /// A name that nothing has yet.
    fn name(&self, what: &str) -> String {
        self.made.set(self.made.get() + 1);
        format!("{what} {}", self.made.get())
    }

    async fn open_requests(&self) -> usize {
        let list = self.trade.mia.get(&format!("{GRID}/requests?state=open&limit=200")).await.expect(200);
        list["items"].as_array().unwrap().len()
    }

    /// A draft of Grid; answers its id.
    async fn draft(&self, visibility: &str) -> String {
        let new = self.service(&self.name("Own"), visibility);
        id(&self.trade.mia.post(&format!("{GRID}/services"), new).await.expect(201))
    }

    fn service(&self, name: &str, visibility: &str) -> Value {
        json!({"application": self.application, "name": name, "summary": "Reads", "description": "Reads data", "categories": ["energy"],
            "visibility": visibility, "contract": {"level": "organization", "permissions": ["resources:read"],
            "plans": [{"name": "Basic", "currency": "EUR", "monthly": "10"}]}})
    }

    /// An active subscription of Grid with these projects; answers its id.
    async fn subscription(&self, projects: &[&str]) -> String {
        let service = self.trade.service(&self.name("Used"), "public").await;
        self.trade.active(&service, json!({"mode": "selected", "projects": projects})).await
    }

    /// A project-level service of Borealis, published; answers its id.
    async fn of_projects(&self) -> String {
        let service = self.trade.draft(&self.name("Narrow"), "public", "project", &["Basic"]).await;
        self.trade.pia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
        service
    }

    /// What the seat's role may do of a permission, as the server shows it by what it does.
    async fn observed(&self, seat: &Seat, permission: Permission, way: Way) -> Verdict {
        let asked = Asked { seat, way };
        let answer = self.ask(&asked, permission, self.prepare(permission).await).await;
        let Outcome { answer, before } = answer;
        let signed_out = answer.status == 303 && answer.header("location").starts_with("/sign-in");
        match answer.status {
            403 => Verdict::Refused,
            200..=204 | 303 if !signed_out && self.open_requests().await > before => Verdict::Request,
            200..=204 | 303 if !signed_out => Verdict::Allowed,
            _ => panic!("{permission:?} as {} by {way:?}: {answer:?}", seat.role),
        }
    }

    /// Makes what the permission is about; answers its id or name.
    async fn prepare(&self, permission: Permission) -> String {
        let trade = &self.trade;
        match permission {
            Permission::DecideRequests => {
                let service = trade.service(&self.name("Wanted"), "public").await;
                let asked = trade.subscribe(&trade.vic, &service, json!({"mode": "all", "include_future": "no"})).await;
                id(&asked.expect(201)["request"])
            }
            Permission::DecideSubscriptions => {
                let service = self.draft("on_request").await;
                trade.mia.post(&format!("/api/v1/services/{service}/publish"), json!({})).await.expect(200);
                let body = json!({"service": service, "projects": {"mode": "all", "include_future": "no"}, "accept_terms": true});
                id(&trade.pia.post("/api/v1/organizations/borealis/subscriptions", body).await.expect(201)["request"])
            }
            Permission::DeleteOrganization => {
                let name = self.name("Doomed");
                let handle = id_of_handle(&trade.mia.post("/api/v1/organizations", json!({"name": name})).await.expect(201));
                let members: Vec<Value> =
                    self.seats.iter().map(|seat| json!({"email": seat.person.user.email, "role": seat.role})).collect();
                trade.mia.post(&format!("/api/v1/organizations/{handle}/members"), json!({"members": members})).await.expect(200);
                handle
            }
            Permission::SubscribeOrganization => trade.service(&self.name("Offered"), "public").await,
            Permission::SubscribeProject => self.of_projects().await,
            Permission::AddProjects | Permission::CancelSubscription => self.subscription(&["north"]).await,
            Permission::ReduceSubscription => self.subscription(&["north", "south"]).await,
            Permission::PublishServices => self.draft("public").await,
            Permission::HandOverServices => {
                let application = json!({"name": self.name("Engine"), "organization": "grid"});
                let application = id(&self.trade.mia.post("/api/v1/applications", application).await.expect(201));
                let mut new = self.service(&self.name("Own"), "public");
                new["application"] = json!(application);
                id(&self.trade.mia.post(&format!("{GRID}/services"), new).await.expect(201))
            }
            Permission::View
            | Permission::ReadActivity
            | Permission::ExportActivity
            | Permission::ManagePolicies
            | Permission::EditOrganization
            | Permission::ManageResources
            | Permission::ManageMembers
            | Permission::DraftServices => self.name("New"),
        }
    }

    async fn ask(&self, asked: &Asked<'_>, permission: Permission, about: String) -> Outcome {
        let before = self.open_requests().await;
        let answer = match asked.way {
            Way::Api => self.by_api(&asked.seat.person, permission, &about).await,
            Way::Page => self.by_page(&asked.seat.browser, permission, &about).await,
        };
        Outcome { answer, before }
    }

    async fn by_api(&self, who: &Person, permission: Permission, about: &str) -> Answer {
        let subscription = format!("{GRID}/subscriptions/{about}");
        let chosen = |projects: &[&str]| json!({"mode": "selected", "projects": projects});
        match permission {
            Permission::View => who.get(GRID).await,
            Permission::ReadActivity => who.get(&format!("{GRID}/events")).await,
            Permission::ExportActivity => who.get(&format!("{GRID}/events/export")).await,
            Permission::DecideRequests | Permission::DecideSubscriptions => {
                who.post(&format!("/api/v1/requests/{about}/approve"), json!({})).await
            }
            Permission::ManagePolicies => who.put(&format!("{GRID}/policy"), json!({"request_days": 31})).await,
            Permission::EditOrganization => who.patch(GRID, json!({"description": about})).await,
            Permission::ManageResources => who.post(&format!("{GRID}/projects"), json!({"name": about})).await,
            Permission::ManageMembers => {
                let members = json!({"members": [{"email": self.trade.sam.user.email, "role": "viewer"}]});
                who.post(&format!("{GRID}/members"), members).await
            }
            Permission::DeleteOrganization => {
                let path = format!("/api/v1/organizations/{about}?confirm={}", about.replace("doomed-", "Doomed%20"));
                who.send(who.request(Method::DELETE, &path)).await
            }
            Permission::SubscribeOrganization => self.trade.subscribe(who, about, json!({"mode": "all", "include_future": "no"})).await,
            Permission::SubscribeProject => {
                let body = json!({"service": about, "project": "north", "accept_terms": true});
                who.post(&format!("{GRID}/subscriptions"), body).await
            }
            Permission::AddProjects => who.put(&format!("{subscription}/projects"), chosen(&["north", "south"])).await,
            Permission::ReduceSubscription => who.put(&format!("{subscription}/projects"), chosen(&["north"])).await,
            Permission::CancelSubscription => who.post(&format!("{subscription}/cancel"), json!({})).await,
            Permission::DraftServices => who.post(&format!("{GRID}/services"), self.service(about, "public")).await,
            Permission::PublishServices => who.post(&format!("/api/v1/services/{about}/publish"), json!({})).await,
            Permission::HandOverServices => {
                who.post(&format!("/api/v1/services/{about}/handovers"), json!({"organization": "borealis"})).await
            }
        }
    }

    async fn by_page(&self, who: &Client, permission: Permission, about: &str) -> Answer {
        let submit = async |path: &str, form: &[(&str, &str)]| who.send(who.request(Method::POST, path).form(form)).await;
        let subscription = format!("/organizations/grid/subscriptions/{about}");
        let subscribe = format!("/marketplace/{about}/subscribe");
        match permission {
            Permission::View => who.get("/organizations/grid").await,
            Permission::ReadActivity => who.get("/organizations/grid/activity").await,
            Permission::ExportActivity => who.get("/organizations/grid/activity/export").await,
            Permission::DecideRequests | Permission::DecideSubscriptions => {
                submit(&format!("/requests/{about}/approve"), &[("reason", ""), ("back", "/requests")]).await
            }
            Permission::ManagePolicies => submit("/organizations/grid/settings/approvals", &[("change", "days"), ("days", "30")]).await,
            Permission::EditOrganization => {
                submit(
                    "/organizations/grid/settings",
                    &[("name", "Grid"), ("handle", "grid"), ("description", about), ("billing_email", "")],
                )
                .await
            }
            Permission::ManageResources => submit("/organizations/grid/projects", &[("name", about), ("description", "")]).await,
            Permission::ManageMembers => {
                submit("/organizations/grid/members", &[("email", self.trade.pol.user.email.as_str()), ("role", "viewer")]).await
            }
            Permission::DeleteOrganization => {
                let name = about.replace("doomed-", "Doomed ");
                submit(&format!("/organizations/{about}/delete"), &[("confirm", name.as_str())]).await
            }
            Permission::SubscribeOrganization => {
                let form = [("organization", "grid"), ("mode", "all"), ("include_future", "no"), ("accept_terms", "true"), ("note", "")];
                submit(&subscribe, &form).await
            }
            Permission::SubscribeProject => {
                submit(&subscribe, &[("organization", "grid"), ("project", "north"), ("accept_terms", "true"), ("note", "")]).await
            }
            Permission::AddProjects => {
                submit(&format!("{subscription}/projects"), &[("mode", "selected"), ("project", "north"), ("project", "south")]).await
            }
            Permission::ReduceSubscription => {
                submit(&format!("{subscription}/projects"), &[("mode", "selected"), ("project", "north")]).await
            }
            Permission::CancelSubscription => submit(&format!("{subscription}/cancel"), &[]).await,
            Permission::DraftServices => {
                let form = [
                    ("name", about),
                    ("application", &self.application),
                    ("summary", "Reads"),
                    ("description", "Reads data"),
                    ("categories", "energy"),
                    ("visibility", "public"),
                    ("level", "organization"),
                    ("permission", "resources:read"),
                    ("plan_name", "Basic"),
                    ("currency", "EUR"),
                    ("monthly", "10"),
                ];
                submit("/organizations/grid/services/new", &form).await
            }
            Permission::PublishServices => submit(&format!("/organizations/grid/services/{about}/publish"), &[]).await,
            Permission::HandOverServices => {
                let form = [("organization", "borealis"), ("days", "14"), ("confirmed", "yes")];
                submit(&format!("/organizations/grid/services/{about}/hand-over"), &form).await
            }
        }
    }
}

/// Who asks, and how.
struct Asked<'a> {
    seat: &'a Seat,
    way: Way,
}

/// The answer, and how many requests were open before.
struct Outcome {
    answer: Answer,
    before: usize,
}

fn id_of_handle(made: &Value) -> String {
    made["handle"].as_str().unwrap().to_owned()
}

/// What the Settings page says of a permission to each role.
fn shown(html: &str, permission: Permission) -> Vec<Verdict> {
    let words = permission.words();
    let words = words[1..].replace('\'', "&#39;");
    let row = html.split("<tr>").find(|row| row.contains(&words)).unwrap_or_else(|| panic!("no row of {words}: {html}"));
    let verdict = |cell: &str| match cell {
        cell if cell.contains("class=\"yes\"") => Verdict::Allowed,
        cell if cell.contains("class=\"ask\"") => Verdict::Request,
        cell if cell.contains("class=\"no\"") => Verdict::Refused,
        other => panic!("{other}"),
    };
    row.split("<td>").skip(1).map(verdict).collect()
}

api_tests! {
    async fn every_cell_of_the_matrix_holds_through_api_and_pages_and_is_shown_in_the_settings(app: &TestApp) {
        let matrix = Matrix::new(app).await;
        let settings = matrix.seats[0].browser.get("/organizations/grid/settings").await.text();
        let mut wrong = Vec::new();
        for permission in Permission::ALL {
            for (column, seat) in matrix.seats.iter().enumerate() {
                let due = verdict(seat.role, permission);
                assert_eq!(shown(&settings, permission)[column], due, "{permission:?} of {} in the settings", seat.role);
                for way in [Way::Api, Way::Page] {
                    let observed = matrix.observed(seat, permission, way).await;
                    if observed != due {
                        wrong.push(format!("{permission:?} as {} by {way:?}: {due:?} is due, {observed:?} is done", seat.role));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
