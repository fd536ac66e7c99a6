//! Offering a service to another organization: the form with what goes along, and the question whether it is meant so.

use axum::response::IntoResponse;
use serde::Deserialize;
use stoa_actions::{
    Act, Error,
    handovers::{self, Considered, Foreseen, NewHandover},
    services::moves,
};
use stoa_domain::{handovers::USUAL_DAYS, ids::ServiceId, organizations::Key};
use stoa_store::Conn;

use super::along;
use crate::{
    extract::ApiPath,
    pages::{
        Field, Flash, Link, OrgHead, Shell, filters,
        form::{FormErrors, PageForm, sentence},
        page::{Page, PageResult},
        times,
    },
};

/// `GET /organizations/{org}/services/{service}/hand-over`, again with errors, and once more to confirm.
#[derive(Debug, Default, askama::Template, askama_web::WebTemplate)]
#[template(path = "handover_new.html")]
pub struct HandoverNewPage {
    /// What surrounds the page.
    pub shell: Shell,
    /// The organization.
    pub org: OrgHead,
    /// Such as “Hand over Load forecast”.
    pub heading: String,
    /// What it means.
    pub lead: String,
    /// Where the form is sent.
    pub action: String,
    /// Where “Cancel” leads.
    pub back: String,
    /// Errors of the form.
    pub errors: Vec<String>,
    /// What goes along, in sentences.
    pub says: Vec<String>,
    /// Why it is not possible; empty when it is.
    pub refusal: String,
    /// To whom, once that is known and is to be confirmed; empty before.
    pub receiver: String,
    /// Until when the offer would wait.
    pub until: String,
    /// The receiver's handle or id.
    pub organization: Field,
    /// What its members shall read.
    pub note: Field,
    /// For how many days it waits.
    pub days: Field,
}

fn says(seen: &Foreseen) -> Vec<String> {
    let application = seen.taken_along().map(|application| application.name.as_str());
    let service = &seen.service;
    let mut says = along(&service.name, service.state.words(), application, &seen.load, false);
    if !seen.closes.is_empty() {
        says.push("The open request to publish it is closed.".to_owned());
    }
    says.push("Your organization sees its subscribers and their requests no more. That can’t be undone by you alone.".to_owned());
    says
}

/// The form as it was sent.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Sent {
    /// To whom.
    organization: String,
    /// What its members shall read.
    note: String,
    /// For how many days.
    days: String,
    /// `yes` once what was read is confirmed.
    confirmed: String,
}

impl Sent {
    fn read(&self) -> Result<NewHandover, Error> {
        let days = match self.days.trim() {
            "" => None,
            text => Some(text.parse().map_err(|_| Error::fault("/days", "write a number of days"))?),
        };
        Ok(NewHandover { organization: self.organization.clone(), note: self.note.clone(), days })
    }
}

async fn new_page(page: &Page, conn: &mut Conn, key: &str, sent: Option<&Sent>) -> PageResult<HandoverNewPage> {
    let key = Key::<ServiceId>::read(key);
    let seen = handovers::foreseen(conn, &page.caller, &key).await?;
    let (service, seat) = moves::member(conn, &page.caller, &key).await?;
    let mut org = page.org_head(conn, &seat, "services").await?;
    let list = format!("{}/services", org.url());
    let url = format!("{list}/{}", service.handle);
    org.crumbs = vec![Link::new("Services", list.as_str()), Link::new(service.name.as_str(), url.as_str()), Link::new("Hand over", "")];
    let open = handovers::open_of_service(conn, &service).await?.filter(|open| open.handover.expires_at > page.caller.now);
    let refusal = match (seen.check(), open) {
        (Err(refused), _) => sentence(&refused.to_string()),
        (Ok(()), Some(open)) => format!("It is offered to {} already. Take that back first.", open.to.name),
        (Ok(()), None) => String::new(),
    };
    let sent = sent.cloned().unwrap_or_else(|| Sent { days: USUAL_DAYS.to_string(), ..Sent::default() });
    Ok(HandoverNewPage {
        shell: page.shell(conn, "organizations").await?,
        heading: format!("Hand over {}", service.name),
        lead: "Another organization becomes its provider, as soon as one of its maintainers accepts.".to_owned(),
        action: format!("{url}/hand-over"),
        back: url,
        says: if refusal.is_empty() { says(&seen) } else { Vec::new() },
        refusal,
        organization: Field::new(sent.organization),
        note: Field::new(sent.note),
        days: Field::new(sent.days),
        org,
        ..HandoverNewPage::default()
    })
}

type Names = ApiPath<(String, String)>;

/// `GET /organizations/{org}/services/{service}/hand-over`.
pub async fn ask(page: Page, ApiPath((_org, key)): Names) -> PageResult {
    let mut conn = page.read().await?;
    Ok(new_page(&page, &mut conn, &key, None).await?.into_response())
}

/// `POST /organizations/{org}/services/{service}/hand-over`: first to look at it with the receiver's name, then in earnest.
pub async fn offer(page: Page, ApiPath((org, key)): Names, PageForm(sent): PageForm<Sent>) -> PageResult {
    let outcome = if sent.confirmed == "yes" { in_earnest(&page, &org, &key, &sent).await } else { to_confirm(&page, &key, &sent).await };
    match outcome {
        Ok(answer) => answer,
        Err(error) => again(&page, &key, &sent, error).await,
    }
}

/// The page that asks whether it is meant so.
async fn to_confirm(page: &Page, key: &str, sent: &Sent) -> Result<PageResult, Error> {
    let new = sent.read()?;
    let mut conn = page.app.stoa.db.read().await?;
    let Considered { foreseen, to, expires_at, .. } = handovers::consider(&mut conn, &page.caller, &Key::read(key), &new).await?;
    let shown = async move {
        let mut shown = new_page(page, &mut conn, key, Some(sent)).await?;
        shown.heading = format!("Hand over {} to {}?", foreseen.service.name, to.name);
        shown.lead = format!("{} can accept it until {}. You can take the offer back until then.", to.name, times::moment(expires_at));
        shown.says = says(&foreseen);
        shown.until = times::moment(expires_at);
        shown.receiver = to.name;
        Ok(shown.into_response())
    };
    Ok(shown.await)
}

async fn in_earnest(page: &Page, org: &str, key: &str, sent: &Sent) -> Result<PageResult, Error> {
    let new = sent.read()?;
    let mut act = Act::begin(&page.app.stoa, page.caller.clone()).await?;
    let offered = handovers::offer(&mut act, &Key::read(key), &new).await?;
    let details = handovers::of_one(&mut act.tx, offered).await?;
    let told = format!("{} is offered to {}. Nothing changes until it is accepted.", details.service.name, details.to.name);
    Ok(page.done(act, format!("/organizations/{org}/services/{}", details.service.handle), Flash::ok(told)).await)
}

async fn again(page: &Page, key: &str, sent: &Sent, error: Error) -> PageResult {
    let mut errors = FormErrors::of(error)?;
    let status = errors.status;
    let mut conn = page.read().await?;
    let mut shown = new_page(page, &mut conn, key, Some(sent)).await?;
    shown.organization = errors.field("/organization", sent.organization.as_str());
    shown.note = errors.field("/note", sent.note.as_str());
    shown.days = errors.field("/days", sent.days.as_str());
    // What stands in the way of the service is told above already.
    shown.errors = if shown.refusal.is_empty() { errors.rest() } else { Vec::new() };
    Ok(FormErrors::again(status, shown))
}

#[cfg(test)]
mod tests {
    use super::{HandoverNewPage, along};
    use crate::pages::{
        Field,
        handovers::tests::{LOAD, org},
        sample,
    };

    #[test]
    fn the_offer_says_what_goes_along_asks_to_whom_and_asks_again() {
        let mut page = HandoverNewPage {
            shell: sample::shell("organizations"),
            org: org(),
            heading: "Hand over Load forecast".into(),
            lead: "Another organization becomes its provider.".into(),
            action: "/organizations/aurelia/services/load-forecast/hand-over".into(),
            back: "/organizations/aurelia/services/load-forecast".into(),
            says: along("Load forecast", "published", Some("Engine"), &LOAD, false),
            organization: Field::wrong("borealis", "There is no organization with this handle or id."),
            days: Field::new("14"),
            ..HandoverNewPage::default()
        };
        let html = sample::render("handover-new", &page);
        assert!(html.contains("2 organizations with 3 subscriptions in force go along") && html.contains("There is no organization"));
        assert!(html.contains("Go on</button>") && !html.contains(r#"name="confirmed""#), "first it asks to whom");
        page.receiver = "Borealis Grid".into();
        let html = sample::render("handover-confirm", &page);
        assert!(html.contains("Offer it to Borealis Grid</button>") && html.contains(r#"name="confirmed" value="yes""#));
        page.refusal = "Map signs in with the same application.".into();
        let html = sample::render("handover-refused", &page);
        assert!(html.contains("Map signs in with") && !html.contains("Offer it to"));
    }
}
