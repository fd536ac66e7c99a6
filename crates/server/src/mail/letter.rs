//! The words of each mail, as plain text and as HTML.

use askama::Template;
use stoa_domain::{
    level_changes::LevelChangeState,
    mail::{HandoverNews, Mail, RequestNews, SetupNews},
};

use crate::pages::times::{long_day, moment};

/// What a mail says. Both bodies are made from it, so that they say the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// What it is about, in one sentence or several.
    pub paragraphs: Vec<String>,
    /// What can be done: a label and an address; an empty address where the secret was forgotten.
    pub button: Option<(&'static str, String)>,
    /// What else to know.
    pub after: Vec<String>,
}

/// A mail ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The body as HTML.
    pub html: String,
}

#[derive(Template)]
#[template(path = "mail/letter.txt", escape = "none")]
struct Text<'a> {
    letter: &'a Letter,
    public_url: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    subject: &'a str,
    letter: &'a Letter,
    public_url: &'a str,
}

/// The mail with subject and both bodies.
pub fn render(mail: &Mail, public_url: &str) -> Rendered {
    let subject = mail.subject();
    let letter = letter(mail);
    // Rendering into a string fails only when a filter does, and these templates have none that can.
    let text = Text { letter: &letter, public_url }.render().unwrap_or_default();
    let html = Html { subject: &subject, letter: &letter, public_url }.render().unwrap_or_default();
    Rendered { subject, text, html }
}

const NOT_YOU: &str = "If this was not you, ignore this mail: nothing happens.";
const ONE_HOUR: &str = "The link works once and for one hour.";
const ASK_OPERATOR: &str = "If this was not you, tell whoever runs this installation.";

fn letter(mail: &Mail) -> Letter {
    match mail {
        Mail::SignUp { .. }
        | Mail::HaveAccount { .. }
        | Mail::ResetPassword { .. }
        | Mail::NoAccount { .. }
        | Mail::PasswordChanged { .. }
        | Mail::ConfirmAddress { .. }
        | Mail::AddressTaken { .. }
        | Mail::AddressChangeAsked { .. }
        | Mail::AddressChanged { .. }
        | Mail::AccountDeleted { .. }
        | Mail::SecondFactorsReset { .. } => of_account(mail),
        Mail::DomainCode { .. }
        | Mail::MemberAdded { .. }
        | Mail::RoleChanged { .. }
        | Mail::MemberRemoved { .. }
        | Mail::Invitation { .. }
        | Mail::Delegated { .. }
        | Mail::ContractOffered { .. }
        | Mail::LevelChanged { .. }
        | Mail::BudgetUsedUp { .. }
        | Mail::Setup { .. }
        | Mail::ContractLapsed { .. }
        | Mail::OrganizationDeleted { .. } => of_organization(mail),
        Mail::ServiceReviewAsked { .. } | Mail::ServiceReviewed { .. } | Mail::ServiceDeprecated { .. } | Mail::ServiceSuspended { .. } => {
            of_service(mail)
        }
        Mail::Request { .. } => of_request(mail),
        Mail::Handover { .. } => of_handover(mail),
    }
}

fn letter_of(paragraphs: &[String], button: Option<(&'static str, &String)>, after: &[&str]) -> Letter {
    Letter {
        paragraphs: paragraphs.to_vec(),
        button: button.map(|(label, link)| (label, link.clone())),
        after: after.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn of_account(mail: &Mail) -> Letter {
    let say = |text: &str| vec![text.to_owned()];
    match mail {
        Mail::SignUp { link } => letter_of(
            &say("Somebody, probably you, wants an account with this address. Open the link to choose a name and a password."),
            Some(("Make my account", link)),
            &[ONE_HOUR, NOT_YOU],
        ),
        Mail::HaveAccount { link } => letter_of(
            &say("Somebody, probably you, wanted a new account with this address. There is one already: sign in with it. If you \
                  don't know its password any more, set a new one."),
            Some(("Set a new password", link)),
            &[ONE_HOUR, NOT_YOU],
        ),
        Mail::ResetPassword { link } => letter_of(
            &say("Somebody, probably you, asked for a new password for this account."),
            Some(("Set a new password", link)),
            &[ONE_HOUR, NOT_YOU],
        ),
        Mail::NoAccount { link } => letter_of(
            &say("Somebody, probably you, asked for a new password for an account with this address. There is no such account here. \
                  Perhaps you signed up with another address."),
            Some(("Sign in or sign up", link)),
            &[NOT_YOU],
        ),
        Mail::PasswordChanged { at, link } => letter_of(
            &[format!("The password of your account was changed on {}. Whoever was signed in elsewhere is signed out.", moment(*at))],
            Some(("That was not me: set a new password", link)),
            &["If it was you, there is nothing to do."],
        ),
        Mail::ConfirmAddress { from, link } => letter_of(
            &[format!("The account of {from} shall get this address. Confirm that the address is yours.")],
            Some(("Confirm this address", link)),
            &[ONE_HOUR, NOT_YOU],
        ),
        Mail::AddressTaken { from } => letter_of(
            &[format!(
                "The account of {from} shall get this address, but there is another account with it. An address belongs to one account."
            )],
            None,
            &["If you want it there, delete the other account or give it another address first.", NOT_YOU],
        ),
        Mail::AddressChangeAsked { to, link } => letter_of(
            &[format!("Your account shall get the address {to}. That happens as soon as the new address is confirmed.")],
            Some(("That was not me: stop it", link)),
            &["If it was you, there is nothing to do. The link works for seven days, also after the change."],
        ),
        Mail::AddressChanged { to, link } => letter_of(
            &[format!("Your account has the address {to} now. Sign in with that one from now on.")],
            Some(("That was not me: take it back", link)),
            &["If it was you, there is nothing to do. The link works for seven days."],
        ),
        Mail::SecondFactorsReset { at, reason, link } => letter_of(
            &[
                format!(
                    "An operator of this installation reset the second factors of your account on {}: its authenticator app, recovery \
                     codes and passkeys count no more, and whoever was signed in is signed out. The reason given: {reason}",
                    moment(*at)
                ),
                "Until you set up another one, your password alone opens your account.".to_owned(),
            ],
            Some(("Set up a second factor", link)),
            &["If you did not ask for this, set a new password and tell whoever runs this installation."],
        ),
        Mail::AccountDeleted { at } => {
            letter_of(&[format!("Your account was deleted on {}. What was personal in it is erased.", moment(*at))], None, &[ASK_OPERATOR])
        }
        _ => Letter::default(),
    }
}

fn of_organization(mail: &Mail) -> Letter {
    match mail {
        Mail::DomainCode { organization, domain, code, by } => {
            let code = if code.is_empty() { "(it stands in the mail only)" } else { code };
            letter_of(
                &[
                    format!(
                        "{by} of {organization} wants people with addresses at {domain} to become its members by themselves. This went to you \
                         because whoever reads this address speaks for the domain."
                    ),
                    format!("If that is right, give {by} this code: {code}"),
                ],
                None,
                &["The code counts for a day. If you don't know of this, ignore it: without the code nothing happens."],
            )
        }
        Mail::MemberAdded { organization, link, role, by } => {
            letter_of(&[format!("{by} added you to {organization} as {}.", role.with_article())], Some(("Look at it", link)), &[])
        }
        Mail::RoleChanged { organization, link, from, to, by } => letter_of(
            &[format!("{by} changed your role in {organization}: you were {} and are {} now.", from.with_article(), to.with_article())],
            Some(("Look at it", link)),
            &[],
        ),
        Mail::MemberRemoved { organization, by } => letter_of(
            &[format!("{by} removed you from {organization}. Your tokens open nothing of it any more.")],
            None,
            &["If you think this is a mistake, ask a maintainer of the organization."],
        ),
        Mail::Invitation { organization, by, role, link } => letter_of(
            &[format!("{by} invites you to {organization} as {}. Sign in or sign up with this address to answer.", role.with_article())],
            Some(("Answer the invitation", link)),
            &[
                "The link works for 14 days and for this address only.",
                "If you don't know what this is about, ignore this mail: nothing happens.",
            ],
        ),
        Mail::Delegated { organization, by, from, until, link } => letter_of(
            &[format!(
                "{by} is away and named you to decide requests in {organization} in their stead, from {} until {}: what {by} could decide, \
                 but never your own requests, nor theirs.",
                moment(*from),
                moment(*until)
            )],
            Some(("Look at the requests", link)),
            &["Each decision says that you took it for them. If you can't do this, end it on the page of requests."],
        ),
        Mail::ContractOffered { organization, service, provider, version, until, again, link } => {
            let first = if *again {
                format!("Version {version} of the contract of {service} is still not accepted by {organization}.")
            } else {
                format!("{provider} offers version {version} of the contract of {service}. It needs the consent of {organization}.")
            };
            let then = match until {
                Some(until) => {
                    format!("Until then nothing changes. Unless it is accepted by {}, the subscription ends on that day.", moment(*until))
                }
                None => "Until then nothing changes: the subscription keeps the contract it has.".to_owned(),
            };
            letter_of(&[first, then], Some(("See what changes", link)), &["The page says in plain words what would change."])
        }
        Mail::BudgetUsedUp { organization, service, reason, link } => letter_of(
            &[
                format!("{service} is paused for {organization}: {reason}."),
                "The service has no access until the budget is raised or the month is over, and no fee accrues.".to_owned(),
            ],
            Some(("Look at the budget", link)),
            &[],
        ),
        Mail::Setup { service, other, news: SetupNews::Waits, until, link, .. } => letter_of(
            &[
                format!("A subscription of {service} by {other} is approved and comes into force once you have set it up."),
                format!(
                    "Say there when it is ready, or why it can’t be. Without a word from you it fails on {}.",
                    until.map(moment).unwrap_or_default()
                ),
            ],
            Some(("Look at the subscribers", link)),
            &[],
        ),
        Mail::Setup { organization, service, other, news: SetupNews::Ready, link, .. } => letter_of(
            &[format!("{other} has set up {service} for {organization}. From now on it may use the projects that were chosen.")],
            Some(("Look at the subscription", link)),
            &[],
        ),
        Mail::Setup { organization, service, other, reason, link, .. } => letter_of(
            &[
                format!("{service} of {other} could not be set up for {organization}: {reason}."),
                "Nothing was granted and nothing is charged. It can be subscribed again.".to_owned(),
            ],
            Some(("Look at the subscription", link)),
            &[],
        ),
        Mail::LevelChanged { service, subscriber, state, level, until, budgets, by, link, .. } => {
            let until = until.map(moment).unwrap_or_default();
            let (first, then) = match state {
                LevelChangeState::Accepted => (
                    format!("{by} accepted for {subscriber} that {service} goes to {level} level."),
                    format!(
                        "Both ways of access work from now on. Either side can switch, which happens by itself on {until}, or undo it until then."
                    ),
                ),
                LevelChangeState::Switched => (
                    format!("{by} switched {service} to {level} level for {subscriber}."),
                    format!(
                        "The subscriptions of before answer as aliases, so that their tokens go on working. Either side can undo it until {until}."
                    ),
                ),
                LevelChangeState::Undone => (
                    format!("{by} undid the change of {service} to {level} level for {subscriber}."),
                    "The subscriptions of before go on as they were. What was taken out or paused meanwhile stays so.".to_owned(),
                ),
                LevelChangeState::Settled => (
                    format!("{service} runs at {level} level for {subscriber} for good."),
                    "The subscriptions of before are over. Their ids go on answering as aliases.".to_owned(),
                ),
            };
            let told: Vec<String> = [first, then].into_iter().chain(budgets.iter().cloned()).collect();
            letter_of(&told, Some(("Look at the change", link)), &[])
        }
        Mail::ContractLapsed { organization, service, provider, link } => letter_of(
            &[
                format!(
                    "The subscription of {service} by {provider} for {organization} has ended: its new contract was not accepted in time."
                ),
                "The service has no access any more. What it cost until then stays in the costs.".to_owned(),
            ],
            Some(("Look at it", link)),
            &["To use it again, subscribe it again."],
        ),
        Mail::OrganizationDeleted { organization, by } => letter_of(
            &[format!(
                "{by} deleted {organization}. Its members have no access any more and its subscriptions have ended. Its data is erased \
                 after 14 days."
            )],
            None,
            &["Until then whoever runs this installation can restore it."],
        ),
        _ => Letter::default(),
    }
}

fn of_service(mail: &Mail) -> Letter {
    match mail {
        Mail::ServiceReviewAsked { organization, service, link, by } => letter_of(
            &[format!("{by} of {organization} wants to publish {service}. It is on the marketplace as soon as an operator approves it.")],
            Some(("Review it", link)),
            &[],
        ),
        Mail::ServiceReviewed { organization, service, published, reason, link } => {
            let said = if reason.is_empty() { Vec::new() } else { vec![format!("The operator says: {reason}")] };
            let outcome = if *published {
                format!("An operator of this installation approved {service} of {organization}. It is on the marketplace now.")
            } else {
                format!(
                    "An operator of this installation did not approve {service} of {organization}. It is a draft again: change it and publish it anew."
                )
            };
            letter_of(&[vec![outcome], said].concat(), Some(("Look at it", link)), &[])
        }
        Mail::ServiceDeprecated { organization, service, provider, on, successor, link } => {
            let instead = successor.iter().map(|name| format!("{provider} recommends {name} instead."));
            let first = format!(
                "{provider} will retire {service}, which {organization} subscribes, on {} or later. Until then nothing changes for you.",
                long_day(*on)
            );
            letter_of(
                &std::iter::once(first).chain(instead).collect::<Vec<_>>(),
                Some(("Look at your subscription", link)),
                &["It is retired only when nobody subscribes it any more. Cancel your subscription when you need it no longer."],
            )
        }
        Mail::ServiceSuspended { organization, service, suspended: true, reason, link } => letter_of(
            &[
                format!(
                    "An operator of this installation stopped {service}. It has no access to anybody's data for now; this concerns {organization}."
                ),
                format!("Why: {reason}"),
            ],
            Some(("Look at it", link)),
            &["Subscriptions stay as they are and go on when the operator lifts this."],
        ),
        Mail::ServiceSuspended { organization, service, link, .. } => letter_of(
            &[format!("An operator of this installation let {service} go on. What {organization} granted it is open to it again.")],
            Some(("Look at it", link)),
            &[],
        ),
        _ => Letter::default(),
    }
}

fn of_handover(mail: &Mail) -> Letter {
    let Mail::Handover { news, organization, service, from, to, by, note, until, link } = mail else { return Letter::default() };
    let first = match news {
        HandoverNews::Offered => format!(
            "{by} of {from} offers {service} to {organization}. Whoever maintains {organization} can accept it: {organization} is its provider \
             from then on, with its contracts, its subscribers and the requests that wait for a decision."
        ),
        HandoverNews::Accepted if organization == to => format!(
            "{by} accepted {service} for {organization}, which provides it now. Subscriptions, prices and access go on as they were."
        ),
        HandoverNews::Accepted => format!(
            "{by} accepted {service} for {to}, which provides it now. {organization} does not see it, its subscribers or their requests any more."
        ),
        HandoverNews::Subscribed => format!(
            "{service}, which {organization} subscribes, is provided by {to} now. Until now {from} provided it. Your subscription, its price, \
             the data it may use and your costs stay as they are, and the service goes on without a break."
        ),
        HandoverNews::Declined => format!("{by} declined for {to}: {from} goes on providing {service}."),
        HandoverNews::Withdrawn => format!("{by} took back that {from} offers {service} to {to}. Nothing changed."),
        HandoverNews::Expired => format!("{from} offered {service} to {to}, and nobody answered in time. Nothing changed."),
    };
    let mut paragraphs = vec![first];
    paragraphs.extend(Some(note).filter(|note| !note.is_empty()).cloned());
    paragraphs.extend(until.map(|until| format!("If nothing happens, the offer expires on {}.", moment(until))));
    let (label, after): (_, &[&str]) = match news {
        HandoverNews::Offered => ("See what comes with it", &["Until it is accepted, nothing changes."]),
        HandoverNews::Accepted if organization == to => {
            ("Look at it", &["Whoever ran the service until now may know the secrets of its application: make new ones."])
        }
        HandoverNews::Subscribed => ("Look at your subscription", &["If you do not agree, you can cancel your subscription there."]),
        HandoverNews::Accepted | HandoverNews::Declined | HandoverNews::Withdrawn | HandoverNews::Expired => ("Look at it", &[]),
    };
    letter_of(&paragraphs, Some((label, link)), after)
}

fn of_request(mail: &Mail) -> Letter {
    let Mail::Request { news, title, by, text, detail, side, until, link } = mail else { return Letter::default() };
    let first = match news {
        RequestNews::Waits => format!("{title}. It waits for a decision of {side}, which is yours to take."),
        RequestNews::Asked => format!("{title}, as you wanted. {by} wants to know something before it is decided:"),
        RequestNews::Answered => format!("{title}. {by} answered the question about it; it waits for a decision of {side}:"),
        RequestNews::Forwarded => format!("{title}. {by} approved it. Now {side} decides."),
        RequestNews::Approved => format!("{title}. {by} approved it, and it is done."),
        RequestNews::Rejected => format!("{title}. {by} rejected it, for this reason:"),
        RequestNews::Expired => format!("{title}. Nobody decided it in time, so it is closed. It can be asked for again."),
        RequestNews::Reminded => format!("{title}. It still waits for {side}."),
    };
    let mut paragraphs = vec![first];
    paragraphs.extend([text, detail].into_iter().filter(|text| !text.is_empty()).cloned());
    paragraphs.extend(until.map(|until| format!("If nothing happens, it expires on {}.", moment(until))));
    let label = match news {
        RequestNews::Asked => "Answer",
        RequestNews::Waits | RequestNews::Answered | RequestNews::Reminded => "Look at it and decide",
        _ => "Look at it",
    };
    Letter { paragraphs, button: Some((label, link.clone())), after: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_domain::permissions::Role;

    #[test]
    fn both_bodies_say_the_same_and_names_cannot_write_html() {
        let mail = Mail::MemberAdded {
            organization: "Grid & <b>Works</b>".into(),
            link: "https://stoa.example/organizations/grid".into(),
            role: Role::Editor,
            by: "Ada".into(),
        };
        let rendered = render(&mail, "https://stoa.example");
        assert!(rendered.text.contains("Ada added you to Grid & <b>Works</b> as an editor."), "{}", rendered.text);
        assert!(rendered.text.contains("Look at it:\nhttps://stoa.example/organizations/grid\n"), "{}", rendered.text);
        assert!(rendered.html.contains("Grid &#38; &#60;b&#62;Works&#60;/b&#62; as an editor."), "{}", rendered.html);
        assert!(rendered.html.contains(r#"href="https://stoa.example/organizations/grid""#), "{}", rendered.html);
    }

    #[test]
    fn news_of_a_request_tell_what_it_is_who_did_it_why_and_until_when() {
        let mail = |news| Mail::Request {
            news,
            title: "Grid asks to subscribe Forecast".into(),
            by: "Rob".into(),
            text: "Which winter?".into(),
            detail: String::new(),
            side: "Borealis".into(),
            until: Some("2026-04-09T12:00:00Z".parse().unwrap()),
            link: "https://stoa.example/requests/req_1".into(),
        };
        for news in RequestNews::ALL {
            let rendered = render(&mail(*news), "https://stoa.example");
            assert!(rendered.subject.ends_with(": Grid asks to subscribe Forecast"), "{}", rendered.subject);
            for part in ["Grid asks to subscribe Forecast", "Which winter?", "9 April 2026", "/requests/req_1"] {
                assert!(rendered.text.contains(part) && rendered.html.contains(part), "{news}: no {part} in {}", rendered.text);
            }
        }
        let asked = render(&mail(RequestNews::Asked), "https://stoa.example").text;
        assert!(asked.contains("Rob wants to know something") && asked.contains("Answer:"), "{asked}");
    }

    #[test]
    fn a_forgotten_link_is_told_as_such() {
        let mail = Mail::ResetPassword { link: "https://stoa.example/set-password?token=stoa_lnk_1".into() }.without_secret();
        let rendered = render(&mail, "https://stoa.example");
        assert!(!rendered.text.contains("token=") && rendered.text.contains("(the link stands in the mail only)"), "{}", rendered.text);
        assert!(!rendered.html.contains("<a class"), "{}", rendered.html);
    }
}
