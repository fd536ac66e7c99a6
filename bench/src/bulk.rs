//! Many rows at once, through the store: what takes minutes over the API and is not what is measured.

pub mod catalogue;

use stoa_domain::{
    events::CHAIN_START,
    ids::{GrantId, Id, OrganizationId, ProjectId, ServiceId, SubscriptionId, TeamId, UserId},
    members::Member,
    permissions::Role,
    time::{DAY, Day, Ts},
};
use stoa_store::{Db, Engine, Tx, Value, members, params, users, values};

use crate::Failure;

/// Rows of one transaction.
const TOGETHER: usize = 20_000;

/// The id of a number: as unique as one from random bytes, and the same in each run.
fn id<I: Id>(now: Ts, kind: u8, number: usize) -> I {
    let mut random = [kind; 10];
    random[2..].copy_from_slice(&(number as u64).to_be_bytes());
    I::mint(now, random)
}

/// A database that is being filled beside a running server.
pub struct Bulk {
    db: Db,
    now: Ts,
}

impl Bulk {
    /// Opens it.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn open(database: &str) -> Result<Self, Failure> {
        let url = database.parse().map_err(|error| Failure::new(format!("{error}")))?;
        #[expect(clippy::disallowed_methods, reason = "the clock of the server runs beside it")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self { db: Db::open(&url).await?, now: Ts::from_micros(i64::try_from(now.as_micros()).unwrap_or(0)) })
    }

    /// Ends it; the statistics of the engine are brought up to date first.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn close(self) -> Result<(), Failure> {
        self.analyze().await?;
        Ok(self.db.close().await?)
    }

    /// As PostgreSQL does by itself, sooner or later; SQLite files have no statistics unless somebody makes them.
    async fn analyze(&self) -> Result<(), Failure> {
        let mut tx = self.db.begin().await?;
        if tx.engine() == Engine::Postgres {
            tx.execute("analyze", &[]).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn insert(&self, head: &str, columns: usize, count: usize, row: impl Fn(usize) -> Vec<Value>) -> Result<(), Failure> {
        for from in (0..count).step_by(TOGETHER) {
            let rows: Vec<Vec<Value>> = (from..count.min(from + TOGETHER)).map(&row).collect();
            let mut tx: Tx = self.db.begin().await?;
            tx.insert_many(head, columns, &rows, "").await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// The address of a member that [`Bulk::members`] made.
    pub fn address(organization: &str, number: usize) -> String {
        format!("person-{number}@{organization}.example").replace('_', "-")
    }

    /// Adds members to an organization, each a person of their own.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn members(&self, organization: OrganizationId, count: usize) -> Result<(), Failure> {
        let now = self.now;
        let person = |number: usize| id::<UserId>(now, organization.bytes()[15], number);
        let tag = organization.to_string();
        self.insert("insert into users (id, email, name, operator, created_at)", 5, count, |number| {
            values![person(number), Self::address(&tag, number), format!("Person {number}"), 0_i64, now]
        })
        .await?;
        let member = |number: usize| Member {
            user: person(number),
            email: Self::address(&tag, number),
            name: format!("Person {number}"),
            role: if number.is_multiple_of(3) { Role::Editor } else { Role::Viewer },
            since: now,
        };
        let mut tx: Tx = self.db.begin().await?;
        members::insert(&mut tx, organization, &(0..count).map(member).collect::<Vec<_>>()).await?;
        Ok(tx.commit().await?)
    }

    /// Adds teams to an organization whose members [`Bulk::members`] made: each with five of the `members` people.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn teams(&self, organization: OrganizationId, count: usize, members: usize) -> Result<(), Failure> {
        let now = self.now;
        let team = |number: usize| id::<TeamId>(now, organization.bytes()[15], number);
        let person = |number: usize| id::<UserId>(now, organization.bytes()[15], number % members);
        let head = "insert into teams (organization_id, id, name, name_key, description, created_at, updated_at)";
        self.insert(head, 7, count, |number| {
            values![organization, team(number), format!("Team {number}"), format!("team {number}"), "", now, now]
        })
        .await?;
        let head = "insert into team_members (organization_id, team_id, user_id, since)";
        let places = members.min(5);
        self.insert(head, 4, count * places, |number| values![organization, team(number / places), person(number), now]).await
    }

    /// Adds organizations of one person, each with a project; their ids.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn organizations(&self, owner: UserId, count: usize) -> Result<Vec<OrganizationId>, Failure> {
        let now = self.now;
        let ids: Vec<OrganizationId> = (0..count).map(|number| id(now, 201, number)).collect();
        let head = "insert into organizations (id, handle, name, description, created_at, updated_at)";
        self.insert(head, 6, count, |number| values![ids[number], format!("bulk-{number}"), format!("Bulk {number}"), "", now, now])
            .await?;
        self.logs(count, |number| ids[number]).await?;
        let mut tx: Tx = self.db.begin().await?;
        if let Some(user) = users::find(&mut tx, owner).await? {
            for id in &ids {
                members::insert(&mut tx, *id, &[Member::new(&user, Role::Maintainer, now)]).await?;
            }
        }
        tx.commit().await?;
        let head = "insert into projects (organization_id, id, handle, name, description, created_at, updated_at)";
        self.insert(head, 7, count, |number| values![ids[number], id::<ProjectId>(now, 202, number), "field", "Field", "", now, now])
            .await?;
        Ok(ids)
    }

    /// Begins the logs of organizations.
    async fn logs(&self, count: usize, of: impl Fn(usize) -> OrganizationId) -> Result<(), Failure> {
        let head = "insert into logs (organization_id, sequence, head_hash, last_event_at)";
        self.insert(head, 4, count, |number| values![of(number), 0_i64, CHAIN_START, self.now.plus(-DAY)]).await
    }

    /// Adds projects to an organization; their ids.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn projects(&self, organization: OrganizationId, count: usize) -> Result<Vec<ProjectId>, Failure> {
        let now = self.now;
        let ids: Vec<ProjectId> = (0..count).map(|number| id(now, organization.bytes()[15], number)).collect();
        let head = "insert into projects (organization_id, id, handle, name, description, created_at, updated_at)";
        self.insert(head, 7, count, |number| {
            values![organization, ids[number], format!("project-{number}"), format!("Project {number}"), "", now, now]
        })
        .await?;
        Ok(ids)
    }

    /// Turns an organization's one subscription into `services` of them, each of a service of its own with the same
    /// contract and plan, and each granted each of `projects` new projects since yesterday.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn map(&self, organization: OrganizationId, of: SubscriptionId, services: usize, projects: usize) -> Result<(), Failure> {
        let (now, tag) = (self.now, organization.bytes()[15]);
        let since = now.plus(-DAY);
        let projects = self.projects(organization, projects).await?;
        let mut tx = self.db.begin().await?;
        tx.execute("update projects set created_at = $2 where organization_id = $1", params![organization, since]).await?;
        tx.execute("delete from grants where organization_id = $1 and subscription_id = $2", params![organization, of]).await?;
        let key = params![organization, of, since];
        tx.execute("update subscriptions set created_at = $3, activated_at = $3 where organization_id = $1 and id = $2", key).await?;
        for number in 1..services {
            let (service, subscription): (ServiceId, SubscriptionId) = (id(now, tag, number), id(now, tag, number));
            tx.execute(
                "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories,
                   visibility, state, contract_id, created_at, updated_at)
                 select v.organization_id, $3, $4, v.application_id, $5, $4, '', '', '[]', v.visibility, v.state, v.contract_id, v.created_at, v.updated_at
                 from services v join subscriptions s on s.provider_id = v.organization_id and s.service_id = v.id
                 where s.organization_id = $1 and s.id = $2",
                params![organization, of, service, format!("mapped-{tag}-{number}"), format!("Mapped {number}")],
            )
            .await?;
            tx.execute(
                "insert into subscriptions (organization_id, id, provider_id, service_id, contract_id, plan_id, state, mode, include_future,
                   note, requested_by, approved_by, created_at, activated_at)
                 select organization_id, $3, provider_id, $4, contract_id, plan_id, state, mode, include_future, note, requested_by,
                   approved_by, created_at, activated_at
                 from subscriptions where organization_id = $1 and id = $2",
                params![organization, of, subscription, service],
            )
            .await?;
        }
        tx.commit().await?;
        let head = "insert into grants (organization_id, subscription_id, id, project_id, since)";
        self.insert(head, 5, services * projects.len(), |number| {
            let (service, project) = (number / projects.len(), projects[number % projects.len()]);
            let subscription = if service == 0 { of } else { id(now, tag, service) };
            values![organization, subscription, id::<GrantId>(now, tag, number), project, since]
        })
        .await
    }

    /// A time between yesterday and today, as the API takes it.
    pub fn past(&self) -> String {
        self.now.plus(-DAY / 2).to_string()
    }

    /// The days before today, as the API takes them: the first, and the first after them.
    pub fn last_days(&self, days: usize) -> (String, String) {
        let today = self.now.day();
        (Day::from_number(today.number() - days as i64).to_string(), today.to_string())
    }

    /// Adds usage of the days before today: `count` events of one request each, spread evenly over projects, meters and
    /// days, with the daily sums that belong to them. The subscription and its grants begin that long ago.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn usage(&self, of: &Used<'_>, count: usize) -> Result<(), Failure> {
        let first = self.now.day().number() - of.days as i64;
        let began = Ts::from_micros(first * DAY);
        let mut tx = self.db.begin().await?;
        let key = params![of.organization, of.subscription, began];
        tx.execute("update subscriptions set created_at = $3, activated_at = $3 where organization_id = $1 and id = $2", key).await?;
        tx.execute("update grants set since = $3 where organization_id = $1 and subscription_id = $2", key).await?;
        tx.commit().await?;
        let slots = of.slots();
        let head = "insert into usage_events
            (organization_id, subscription_id, source, event_id, body_hash, project_id, meter, quantity, occurred_at, recorded_at)";
        self.insert(head, 10, count, |number| {
            let (project, meter, day) = of.slot(number % slots);
            let at = Ts::from_micros((first + day) * DAY + (number as i64 * 7_919_000) % DAY);
            values![of.organization, of.subscription, "/bulk", format!("event-{number}"), [3_u8; 32], project, meter, "1", at, at]
        })
        .await?;
        let head = "insert into usage_days (organization_id, subscription_id, project_id, meter, day, quantity)";
        self.insert(head, 6, count.min(slots), |slot| {
            let (project, meter, day) = of.slot(slot);
            let events = count / slots + usize::from(slot < count % slots);
            values![of.organization, of.subscription, project, meter, first + day, events.to_string()]
        })
        .await
    }
}

/// Where usage is spread over.
pub struct Used<'a> {
    /// Who used.
    pub organization: OrganizationId,
    /// Under which subscription.
    pub subscription: SubscriptionId,
    /// With which projects' data.
    pub projects: &'a [ProjectId],
    /// How many meters: `meter-0`, `meter-1`, …
    pub meters: usize,
    /// On how many days.
    pub days: usize,
}

impl Used<'_> {
    fn slots(&self) -> usize {
        self.projects.len() * self.meters * self.days
    }

    fn slot(&self, number: usize) -> (ProjectId, String, i64) {
        let (rest, project) = (number / self.projects.len(), self.projects[number % self.projects.len()]);
        (project, format!("meter-{}", rest % self.meters), (rest / self.meters) as i64)
    }
}
