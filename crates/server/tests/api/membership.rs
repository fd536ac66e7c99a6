//! What holds of memberships whatever happens and however much of it at the same moment: a maintainer stays, the log tells
//! the same members as the list, and of two who stand in each other's way one is refused with a reason.

use std::fmt;

use futures::future::join_all;
use proptest::{prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner};
use reqwest::Method;
use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Members, Person, TestApp, api_tests, replay_members};

/// How often two things are done at the same moment: once may be luck.
const ROUNDS: usize = 6;

/// An organization with its people, the first of whom made it.
struct Crew {
    path: String,
    people: Vec<Person>,
}

impl Crew {
    /// A new organization of people who are nowhere else; the first `maintainers` of them maintain it.
    async fn new(app: &TestApp, handle: &str, people: usize, maintainers: usize) -> Self {
        let mut crew = Self { path: format!("/api/v1/organizations/{handle}"), people: Vec::new() };
        for number in 0..people {
            crew.people.push(app.person(&format!("p{number}-{handle}")).await);
        }
        crew.people[0].post("/api/v1/organizations", json!({"name": handle, "handle": handle})).await.expect(201);
        for number in 1..maintainers {
            crew.act(&Deed::Add { by: 0, who: number, role: "maintainer" }).await.expect(200);
        }
        crew
    }

    fn member(&self, who: usize) -> String {
        format!("{}/members/{}", self.path, self.people[who].id())
    }

    async fn act(&self, deed: &Deed) -> Answer {
        match *deed {
            Deed::Add { by, who, role } => {
                let member = json!({"email": self.people[who].user.email, "role": role});
                self.people[by].post(&format!("{}/members", self.path), json!({"members": [member]})).await
            }
            Deed::ChangeRole { by, who, role } => self.people[by].patch(&self.member(who), json!({"role": role})).await,
            Deed::Remove { by, who } => self.people[by].delete(&self.member(who)).await,
            Deed::Leave { who } => self.people[who].delete(&self.member(who)).await,
            Deed::DeleteAccount { who } => {
                let person = &self.people[who];
                person.delete(&format!("/api/v1/me?confirm={}", person.user.email)).await
            }
        }
    }

    /// Does it all at the same moment.
    async fn at_once(&self, deeds: &[Deed]) -> Vec<Answer> {
        join_all(deeds.iter().map(|deed| self.act(deed))).await
    }

    /// Members and log, as the first person who may see them reads them.
    async fn read(&self) -> Result<(Members, Vec<Value>), String> {
        for person in &self.people {
            let answer = person.get(&format!("{}/members?limit=200", self.path)).await;
            if answer.status != 200 {
                continue;
            }
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let members = answer.json()["items"].as_array().cloned().unwrap_or_default();
            let members = members.iter().map(|member| (text(&member["user"]["id"]), text(&member["role"]))).collect();
            let log = person.get(&format!("{}/events?limit=200", self.path)).await.expect(200);
            assert_eq!(log["next_cursor"], Value::Null, "the log is read whole");
            return Ok((members, log["items"].as_array().cloned().unwrap_or_default()));
        }
        Err("nobody is a member any more".to_owned())
    }

    /// The members, if there is a maintainer among them and the log tells the same.
    async fn sound(&self) -> Result<Members, String> {
        let (members, log) = self.read().await?;
        let replayed = replay_members(&log)?;
        if replayed != members {
            return Err(format!("the log adds up to {replayed:?}, the list is {members:?}"));
        }
        Ok(members)
    }

    async fn events(&self, kind: &str) -> usize {
        let (_, log) = self.read().await.expect("a log");
        log.iter().filter(|event| event["type"] == kind).count()
    }

    /// Of two answers one is a success and the other a refusal that gives one of these reasons. Answers which succeeded.
    #[track_caller]
    fn one_of(answers: &[Answer], refusals: &[(u16, &str)]) -> usize {
        let won: Vec<usize> = (0..answers.len()).filter(|number| answers[*number].status < 300).collect();
        assert!(won.len() == 1 && answers.len() == 2, "exactly one succeeds: {answers:?}");
        let lost = &answers[1 - won[0]];
        let problem = lost.json();
        assert!(refusals.iter().any(|(status, code)| lost.status == *status && problem["code"] == *code), "{lost:?}");
        assert!(!problem["detail"].as_str().unwrap().is_empty(), "it says why: {lost:?}");
        won[0]
    }
}

/// What one person does; people are numbers.
#[derive(Clone)]
enum Deed {
    Add { by: usize, who: usize, role: &'static str },
    ChangeRole { by: usize, who: usize, role: &'static str },
    Remove { by: usize, who: usize },
    Leave { who: usize },
    DeleteAccount { who: usize },
}

impl fmt::Debug for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { by, who, role } => write!(f, "{by} adds {who} as {role}"),
            Self::ChangeRole { by, who, role } => write!(f, "{by} makes {who} {role}"),
            Self::Remove { by, who } => write!(f, "{by} removes {who}"),
            Self::Leave { who } => write!(f, "{who} leaves"),
            Self::DeleteAccount { who } => write!(f, "{who} deletes the account"),
        }
    }
}

/// Whether a deed was answered as the rules say: done, or refused with a reason that there is.
fn fair(deed: &Deed, answer: &Answer) -> Result<(), String> {
    let code = || answer.json()["code"].as_str().unwrap_or_default().to_owned();
    let fits = match answer.status {
        200 | 204 => true,
        401 => code() == "unauthenticated",
        403 => code() == "forbidden",
        404 => code() == "not_found",
        409 => code() == "last_maintainer" || (matches!(deed, Deed::DeleteAccount { .. }) && code() == "try_again"),
        _ => false,
    };
    if fits { Ok(()) } else { Err(format!("{deed:?}: {answer:?}")) }
}

/// How many people a random sequence is about.
const PEOPLE: usize = 5;

fn deed() -> impl Strategy<Value = Deed> {
    let (by, who) = (0..PEOPLE, 0..PEOPLE);
    let role = || select(vec!["maintainer", "maintainer", "editor", "reviewer", "viewer"]);
    prop_oneof![
        6 => (by.clone(), who.clone(), role()).prop_map(|(by, who, role)| Deed::Add { by, who, role }),
        5 => (by.clone(), who.clone(), role()).prop_map(|(by, who, role)| Deed::ChangeRole { by, who, role }),
        3 => (by, who.clone()).prop_map(|(by, who)| Deed::Remove { by, who }),
        2 => who.clone().prop_map(|who| Deed::Leave { who }),
        1 => who.prop_map(|who| Deed::DeleteAccount { who }),
    ]
}

/// Moments one after the other, each with what one or two people do in it.
fn moments() -> impl Strategy<Value = Vec<Vec<Deed>>> {
    prop::collection::vec(prop::collection::vec(deed(), 1..=2), 1..=14)
}

async fn holds(app: &TestApp, handle: &str, moments: &[Vec<Deed>]) -> Result<(), String> {
    let crew = Crew::new(app, handle, PEOPLE, 2).await;
    for (number, deeds) in moments.iter().enumerate() {
        let answers = crew.at_once(deeds).await;
        for (deed, answer) in deeds.iter().zip(&answers) {
            fair(deed, answer)?;
        }
        crew.sound().await.map_err(|wrong| format!("after moment {number}: {wrong}"))?;
    }
    Ok(())
}

/// How many sequences are tried, and how many shorter ones when one of them fails.
const SEQUENCES: usize = 10;
const SHORTER: usize = 60;

/// Takes from a sequence that fails what it fails without, as far as that gets.
async fn shortest(app: &TestApp, name: &str, tree: &mut impl ValueTree<Value = Vec<Vec<Deed>>>, wrong: String) -> String {
    let mut found = (tree.current(), wrong);
    let mut goes_on = tree.simplify();
    for number in 0..SHORTER {
        if !goes_on {
            break;
        }
        let shorter = tree.current();
        goes_on = match holds(app, &format!("{name}-{number}"), &shorter).await {
            Ok(()) => tree.complicate(),
            Err(wrong) => {
                found = (shorter, wrong);
                tree.simplify()
            }
        };
    }
    format!("{}\nin this sequence, each line a moment:\n{:#?}", found.1, found.0)
}

/// A secret of the invitation that was mailed to an address.
async fn invited(app: &TestApp, crew: &Crew, email: &str) -> (String, String) {
    let member = json!({"email": email, "role": "viewer"});
    let made = crew.people[0].post(&format!("{}/members", crew.path), json!({"members": [member]})).await.expect(200);
    let id = made["results"][0]["invitation"]["id"].as_str().unwrap().to_owned();
    app.write_mails().await;
    let mails = app.mails().await;
    let link = mails.iter().find(|mail| mail.to == email).expect("a mail").link();
    (id, link.split_once("token=").expect("a link with a secret").1.to_owned())
}

async fn answer(by: &Client, how: &str, token: &str) -> Answer {
    by.post(&format!("/api/v1/invitations/{how}"), json!({"token": token})).await
}

api_tests! {
    async fn random_sequences_keep_a_maintainer_and_the_log_replays_to_the_members(app: &TestApp) {
        let mut runner = TestRunner::deterministic();
        for number in 0..SEQUENCES {
            let mut tree = moments().new_tree(&mut runner).unwrap();
            if let Err(wrong) = holds(app, &format!("s{number}"), &tree.current()).await {
                panic!("{}", shortest(app, &format!("s{number}"), &mut tree, wrong).await);
            }
        }
        app.mails().await;
    }

    async fn two_maintainers_who_remove_each_other_leave_one(app: &TestApp) {
        for round in 0..ROUNDS {
            // With and without a third one, who would keep the organization alive if both succeeded.
            let all = 2 + round % 2;
            let crew = Crew::new(app, &format!("grid{round}"), all, all).await;
            let answers = crew.at_once(&[Deed::Remove { by: 0, who: 1 }, Deed::Remove { by: 1, who: 0 }]).await;
            let won = Crew::one_of(&answers, &[(404, "not_found")]);
            let members = crew.sound().await.unwrap();
            assert_eq!(members.len(), all - 1);
            assert!(members.contains_key(&crew.people[won].id().to_string()), "{members:?}");
        }
    }

    async fn two_maintainers_who_demote_each_other_leave_one(app: &TestApp) {
        for round in 0..ROUNDS {
            let all = 2 + round % 2;
            let crew = Crew::new(app, &format!("grid{round}"), all, all).await;
            let demote = |by, who| Deed::ChangeRole { by, who, role: "viewer" };
            let won = Crew::one_of(&crew.at_once(&[demote(0, 1), demote(1, 0)]).await, &[(403, "forbidden")]);
            let members = crew.sound().await.unwrap();
            assert_eq!(members[&crew.people[won].id().to_string()], "maintainer");
            assert_eq!(members[&crew.people[1 - won].id().to_string()], "viewer");
        }
    }

    async fn of_two_maintainers_who_both_leave_one_stays(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let won = Crew::one_of(&crew.at_once(&[Deed::Leave { who: 0 }, Deed::Leave { who: 1 }]).await, &[(409, "last_maintainer")]);
            let members = crew.sound().await.unwrap();
            assert_eq!(members.into_keys().collect::<Vec<_>>(), [crew.people[1 - won].id().to_string()]);
        }
    }

    async fn a_member_is_removed_and_deletes_the_account_once(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let answers = crew.at_once(&[Deed::Remove { by: 0, who: 1 }, Deed::DeleteAccount { who: 1 }]).await;
            assert!(matches!(answers[0].status, 204 | 404), "{answers:?}");
            assert_eq!(answers[1].status, 204, "{answers:?}");
            assert_eq!(crew.sound().await.unwrap().len(), 1);
            assert_eq!(crew.events("member.removed").await, 1, "the membership ends once");
            assert_eq!(crew.people[1].get("/api/v1/me").await.status, 401);
        }
        assert_eq!(app.mails().await.len(), ROUNDS);
    }

    async fn who_removes_the_other_maintainer_does_not_delete_the_own_account_too(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let answers = crew.at_once(&[Deed::Remove { by: 0, who: 1 }, Deed::DeleteAccount { who: 0 }]).await;
            let won = Crew::one_of(&answers, &[(409, "last_maintainer"), (404, "not_found"), (401, "unauthenticated")]);
            let members = crew.sound().await.unwrap();
            assert_eq!(members.into_keys().collect::<Vec<_>>(), [crew.people[won].id().to_string()]);
        }
        app.mails().await;
    }

    async fn of_one_who_leaves_and_one_who_deletes_the_account_a_maintainer_stays(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let answers = crew.at_once(&[Deed::Leave { who: 0 }, Deed::DeleteAccount { who: 1 }]).await;
            let won = Crew::one_of(&answers, &[(409, "last_maintainer")]);
            let members = crew.sound().await.unwrap();
            assert_eq!(members.into_keys().collect::<Vec<_>>(), [crew.people[1 - won].id().to_string()]);
        }
        app.mails().await;
    }

    async fn the_same_person_added_twice_at_once_is_a_member_once(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 3, 2).await;
            let add = |by, role| Deed::Add { by, who: 2, role };
            let answers = crew.at_once(&[add(0, "editor"), add(1, "viewer")]).await;
            let results: Vec<Value> = answers.into_iter().map(|answer| answer.expect(200)["results"][0].clone()).collect();
            let added = results.iter().position(|one| one["status"] == "added").expect("one of them added the person");
            assert_eq!(results[1 - added]["status"], "already_member", "{results:?}");
            let role = ["editor", "viewer"][added];
            assert_eq!(crew.sound().await.unwrap()[&crew.people[2].id().to_string()], role);
            assert_eq!(results[1 - added]["member"]["role"], role, "the other one is told the role that counts");
        }
    }

    async fn the_same_address_invited_twice_at_once_waits_once(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let path = format!("{}/members", crew.path);
            let body = json!({"members": [{"email": format!("new{round}@people.example"), "role": "viewer"}]});
            let (one, two) = tokio::join!(crew.people[0].post(&path, body.clone()), crew.people[1].post(&path, body));
            for answer in [one, two] {
                assert_eq!(answer.expect(200)["results"][0]["status"], "invited");
            }
            let list = async |state: &str| {
                let found = crew.people[0].get(&format!("{}/invitations?state={state}", crew.path)).await.expect(200);
                found["items"].as_array().unwrap().len()
            };
            assert_eq!((list("pending").await, list("revoked").await), (1, 1), "the second one took the place of the first");
            crew.sound().await.unwrap();
        }
    }

    async fn an_invitation_is_accepted_or_taken_back(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 1, 1).await;
            let email = format!("new{round}@people.example");
            let (id, token) = invited(app, &crew, &email).await;
            let new = app.person(&format!("new{round}")).await;
            let path = format!("{}/invitations/{id}", crew.path);
            let (accepted, revoked) = tokio::join!(answer(&new, "accept", &token), crew.people[0].delete(&path));
            let won = Crew::one_of(&[accepted, revoked], &[(404, "not_found"), (409, "invitation_closed")]);
            let is_member = crew.sound().await.unwrap().contains_key(&new.id().to_string());
            assert_eq!(is_member, won == 0);
            let kept = crew.people[0].get(&format!("{}/invitations", crew.path)).await.expect(200);
            assert_eq!(kept["items"][0]["state"], ["accepted", "revoked"][won]);
        }
        app.mails().await;
    }

    async fn an_invitation_is_accepted_or_declined(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 1, 1).await;
            let (_, token) = invited(app, &crew, &format!("new{round}@people.example")).await;
            let new = app.person(&format!("new{round}")).await;
            let (accepted, declined) = tokio::join!(answer(&new, "accept", &token), answer(&new, "decline", &token));
            let won = Crew::one_of(&[accepted, declined], &[(404, "not_found"), (409, "invitation_closed")]);
            assert_eq!(crew.sound().await.unwrap().len(), 2 - won);
        }
        app.mails().await;
    }

    async fn whoever_is_removed_leaves_no_place_in_a_team_and_no_share(app: &TestApp) {
        for round in 0..ROUNDS {
            let crew = Crew::new(app, &format!("grid{round}"), 2, 2).await;
            let (ada, ben) = (&crew.people[0], &crew.people[1]);
            let team = ada.post(&format!("{}/teams", crew.path), json!({"name": "Meters"})).await.expect(201);
            let place = format!("{}/teams/{}/members", crew.path, team["id"].as_str().unwrap());
            let own = ben.post("/api/v1/applications", json!({"name": "Reader"})).await.expect(201);
            let own = format!("/api/v1/applications/{}", own["id"].as_str().unwrap());
            let share = format!("{own}/shares/organizations/grid{round}");
            let put = async |by: &Person, path: &str| by.send(by.request(Method::PUT, path)).await;
            let in_team = format!("{place}/{}", ben.id());
            let (placed, shared, removed) =
                tokio::join!(put(ada, &in_team), put(ben, &share), crew.act(&Deed::Remove { by: 0, who: 1 }));
            assert_eq!(removed.status, 204, "{removed:?}");
            assert!(matches!(placed.status, 204 | 404) && matches!(shared.status, 204 | 404), "{placed:?} {shared:?}");
            assert_eq!(ada.get(&place).await.expect(200)["items"], json!([]));
            // What was shared before the end stays with the organization, what was not stays with its owner.
            let seen = (ben.get(&own).await.status, ada.get(&own).await.status);
            assert_eq!(seen, if shared.status == 204 { (404, 200) } else { (200, 404) }, "{shared:?}");
            crew.sound().await.unwrap();
        }
    }
}
