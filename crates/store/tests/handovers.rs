//! Hand-overs, and what goes along with a service, on both engines.

#![cfg(test)]

use std::collections::BTreeSet;

use stoa_domain::{
    handovers::{Direction, Handover, HandoverState, Step, TIME_TO_DECIDE},
    ids::{HandoverId, Id, OrganizationId, ServiceId, UserId},
    permissions::Role,
    time::Ts,
};
use stoa_store::{
    Db, Engine, StoreError, Tx, Value,
    handovers::{self, MOVED, STAYING, Wanted},
};
use stoa_testkit::{
    both_engines,
    rows::{at, company, id},
};

const OLD: u8 = 1;
const NEW: u8 = 2;
const CONSUMER: u8 = 3;

/// The provider 1 with the maintainer 1, another provider 2 with the maintainer 2, and the consumer 3 with 3.
async fn organizations_of(db: &Db) {
    let mut tx = db.begin().await.unwrap();
    for number in [OLD, NEW, CONSUMER] {
        let (handle, name) = (format!("organization-{number}"), format!("Organization {number}"));
        company(&mut tx, number, (&handle, &name), &[(number, Role::Maintainer)]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Writes one row: each column with its value.
async fn row(tx: &mut Tx, table: &str, columns: &[(&str, Value)]) {
    let names: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let marks: Vec<_> = (1..=columns.len()).map(|number| format!("${number}")).collect();
    let values: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
    tx.execute(&format!("insert into {table} ({}) values ({})", names.join(", "), marks.join(", ")), &values).await.unwrap();
}

fn uid(number: u8) -> Value {
    Value::from(id::<UserId>(number))
}

fn text(text: &str) -> Value {
    Value::from(text)
}

/// The service `number` of provider 1, with `many` rows in each table of which rows go along.
async fn furnish(db: &Db, number: u8, many: u8) {
    let mut tx = db.begin().await.unwrap();
    let (service, zero) = (uid(number), || Value::from(0_i64));
    let own = |more: &[(&'static str, Value)]| [&[("organization_id", uid(OLD)), ("service_id", uid(number))], more].concat();
    row(
        &mut tx,
        "applications",
        &[
            ("id", uid(number)),
            ("organization_id", uid(OLD)),
            ("name", text("Engine")),
            ("description", text("")),
            ("redirect_uris", text("[]")),
            ("created_at", zero()),
            ("updated_at", zero()),
        ],
    )
    .await;
    row(
        &mut tx,
        "services",
        &[
            ("organization_id", uid(OLD)),
            ("id", service.clone()),
            ("handle", text(&format!("service-{number}"))),
            ("application_id", uid(number)),
            ("name", text("Forecast")),
            ("name_key", text("forecast")),
            ("summary", text("s")),
            ("description", text("d")),
            ("categories", text("[]")),
            ("visibility", text("public")),
            ("state", text("published")),
            ("contract_id", uid(number)),
            ("created_at", zero()),
            ("updated_at", zero()),
            ("support", text("help@grid.example")),
            ("several", Value::from(1_i64)),
        ],
    )
    .await;
    row(&mut tx, "contract_rollouts", &own(&[("contract_id", uid(number)), ("started_at", zero())])).await;
    row(&mut tx, "search_queue", &own(&[])).await;
    for n in 0..many {
        let key = number + 50 * (n + 1) % 200;
        let nth = Value::from(i64::from(n));
        row(
            &mut tx,
            "contracts",
            &own(&[
                ("id", uid(key)),
                ("version", nth.clone()),
                ("level", text("organization")),
                ("permissions", text("[]")),
                ("price_hint", text("{}")),
                ("created_at", zero()),
            ]),
        )
        .await;
        row(
            &mut tx,
            "plans",
            &[
                ("organization_id", uid(OLD)),
                ("contract_id", uid(key)),
                ("id", uid(key)),
                ("position", zero()),
                ("name", text("Basic")),
                ("currency", text("EUR")),
                ("prices", text("{}")),
            ],
        )
        .await;
        row(
            &mut tx,
            "contract_texts",
            &[("organization_id", uid(OLD)), ("contract_id", uid(key)), ("hash", uid(key)), ("text", text("words"))],
        )
        .await;
        row(
            &mut tx,
            "service_images",
            &own(&[
                ("position", nth.clone()),
                ("hash", text("h")),
                ("blob_key", text(&format!("b{key}"))),
                ("media_type", text("image/png")),
                ("size", zero()),
                ("width", zero()),
                ("height", zero()),
                ("alt", text("")),
                ("created_at", zero()),
            ]),
        )
        .await;
        if n < 3 {
            row(&mut tx, "service_audience", &own(&[("audience_id", uid(n + 1)), ("since", zero())])).await;
        }
        row(&mut tx, "service_categories", &own(&[("category", text(&format!("c{n}")))])).await;
        let consumer = |more: &[(&'static str, Value)]| [&[("organization_id", uid(CONSUMER))], more].concat();
        row(
            &mut tx,
            "subscriptions",
            &consumer(&[
                ("id", uid(key)),
                ("provider_id", uid(OLD)),
                ("service_id", service.clone()),
                ("contract_id", uid(key)),
                ("plan_id", uid(key)),
                ("state", text("active")),
                ("mode", text("all")),
                ("include_future", text("yes")),
                ("note", text("")),
                ("requested_by", uid(CONSUMER)),
                ("created_at", zero()),
            ]),
        )
        .await;
        row(
            &mut tx,
            "consents",
            &consumer(&[
                ("subscription_id", uid(key)),
                ("id", uid(key)),
                ("kind", text("subscribed")),
                ("accepted_by", uid(CONSUMER)),
                ("consented_at", zero()),
                ("provider_id", uid(OLD)),
                ("contract_id", uid(key)),
                ("version", zero()),
                ("text_hash", uid(key)),
                ("permissions", text("[]")),
                ("plan_id", uid(key)),
                ("prices", text("{}")),
                ("projects", text("[]")),
            ]),
        )
        .await;
        row(
            &mut tx,
            "level_changes",
            &consumer(&[
                ("id", uid(key)),
                ("provider_id", uid(OLD)),
                ("service_id", service.clone()),
                ("contract_id", uid(key)),
                ("state", text("undone")),
                ("until", zero()),
                ("accepted_by", uid(CONSUMER)),
                ("accepted_at", zero()),
            ]),
        )
        .await;
        row(
            &mut tx,
            "contract_offers",
            &consumer(&[
                ("subscription_id", uid(key)),
                ("contract_id", uid(key)),
                ("provider_id", uid(OLD)),
                ("service_id", service.clone()),
                ("state", text("open")),
                ("offered_at", zero()),
            ]),
        )
        .await;
        row(
            &mut tx,
            "requests",
            &consumer(&[
                ("id", uid(key)),
                ("provider_id", uid(OLD)),
                ("kind", text("subscribe")),
                ("state", text("open")),
                ("step", text("provider")),
                ("service_id", service.clone()),
                ("asked", text("{}")),
                ("note", text("")),
                ("requested_by", uid(CONSUMER)),
                ("created_at", Value::from(at(-20))),
                ("expires_at", Value::from(at(1))),
                ("due_at", Value::from(at(1))),
            ]),
        )
        .await;
    }
    tx.commit().await.unwrap();
}

/// How many rows of each table a service has at a provider.
async fn rows_of(db: &Db, provider: u8, service: u8) -> Vec<(&'static str, i64)> {
    let mut conn = db.read().await.unwrap();
    let mut counts = Vec::new();
    for one in MOVED {
        let sql = format!("select count(*) from {} where {}", one.table, one.of);
        let row = conn.fetch_one(&sql, &[uid(provider), uid(service)]).await.unwrap();
        counts.push((one.table, row.get(0).unwrap()));
    }
    counts
}

async fn all_rows(db: &Db) -> Vec<i64> {
    let mut conn = db.read().await.unwrap();
    let mut counts = Vec::new();
    for one in MOVED {
        counts.push(conn.fetch_one(&format!("select count(*) from {}", one.table), &[]).await.unwrap().get(0).unwrap());
    }
    counts
}

/// The tables with a column that names a provider, a service, a contract, a plan or an application.
async fn tables(db: &Db) -> BTreeSet<String> {
    let named = "('provider_id', 'service_id', 'contract_id', 'plan_id', 'application_id')";
    let sql = match db.engine() {
        Engine::Sqlite => format!(
            "select distinct m.name from sqlite_master m join pragma_table_info(m.name) c where m.type = 'table' and c.name in {named}"
        ),
        Engine::Postgres => format!(
            "select distinct cast(table_name as text) from information_schema.columns
             where table_schema = current_schema() and column_name in {named}"
        ),
    };
    let mut conn = db.read().await.unwrap();
    conn.fetch_all(&sql, &[]).await.unwrap().iter().map(|row| row.get(0).unwrap()).collect()
}

fn handover(number: u8, service: u8, day: i64) -> Handover {
    Handover {
        id: HandoverId::mint(at(day), [number; 10]),
        from: id(OLD),
        to: id(NEW),
        service: id(service),
        state: HandoverState::Open,
        note: "yours".into(),
        offered_by: id(OLD),
        offered_at: at(day),
        expires_at: at(day + 14),
        decided_by: None,
        decided_at: None,
    }
}

async fn carry(db: &Db, service: u8) -> u64 {
    let before = db.statements();
    let mut tx = db.begin().await.unwrap();
    let (from, to): (OrganizationId, OrganizationId) = (id(OLD), id(NEW));
    handovers::carry(&mut tx, id(service), (from, to), ServiceId::mint(at(1), [99; 10]), at(1)).await.unwrap();
    handovers::give_time(&mut tx, to, id(service), at(1)).await.unwrap();
    tx.commit().await.unwrap();
    db.statements() - before
}

both_engines! {
    async fn each_table_that_names_a_provider_or_a_service_is_moved_or_stays_for_a_reason(db: Db) {
        let mut known: BTreeSet<String> = MOVED.iter().map(|one| one.table.to_owned()).collect();
        for (table, _) in STAYING {
            assert!(known.insert(table.to_owned()), "{table} can't both move and stay");
        }
        // An application is whose its own row says, by no such column; what is searched has another table on each engine.
        known.remove("applications");
        known.remove(if db.engine() == Engine::Sqlite { "service_search" } else { "service_search_rows" });
        let there = tables(&db).await;
        let differ: Vec<_> = there.symmetric_difference(&known).collect();
        assert!(differ.is_empty(), "name them in store/src/handovers/carrying.rs, as moved or as staying: {differ:?}");
    }

    async fn all_that_is_a_services_own_goes_along_and_nothing_else_in_as_many_statements_for_many_rows(db: Db) {
        organizations_of(&db).await;
        furnish(&db, 10, 1).await;
        furnish(&db, 11, 3).await;
        furnish(&db, 12, 1).await;
        let (few, many, other) = (rows_of(&db, OLD, 10).await, rows_of(&db, OLD, 11).await, rows_of(&db, OLD, 12).await);
        assert!(few.iter().chain(&many).all(|(_, count)| *count > 0), "the test has nothing to move: {few:?} {many:?}");
        let all = all_rows(&db).await;
        let counted = (carry(&db, 10).await, carry(&db, 11).await);
        assert_eq!(counted.0, counted.1, "the number of statements must not grow with the rows");
        for (service, before) in [(10, few), (11, many)] {
            // The application follows by a statement of its own, and only where it may.
            let own = |rows: Vec<(&'static str, i64)>| rows.into_iter().filter(|(table, _)| *table != "applications").collect::<Vec<_>>();
            assert_eq!(own(rows_of(&db, NEW, service).await), own(before));
            assert!(own(rows_of(&db, OLD, service).await).iter().all(|(_, count)| *count == 0));
        }
        assert_eq!(rows_of(&db, OLD, 12).await, other, "another service of the provider stays");
        assert_eq!(all_rows(&db).await, all, "nothing is lost, and no stand-in is left");

        let mut conn = db.read().await.unwrap();
        let kept = conn.fetch_one("select handle, support, several, created_at, updated_at from services where id = $1", &[uid(10)]).await.unwrap();
        assert_eq!((kept.get::<String>(0).unwrap(), kept.get::<String>(1).unwrap()), ("service-10".into(), "help@grid.example".into()));
        assert_eq!((kept.get::<i64>(2).unwrap(), kept.get::<Ts>(4).unwrap()), (1, at(1)));
        let ends = conn.fetch_one("select expires_at from requests where service_id = $1", &[uid(10)]).await.unwrap();
        assert_eq!(ends.get::<Ts>(0).unwrap(), at(1).plus(TIME_TO_DECIDE), "whoever decides now has a week");
        let ends = conn.fetch_one("select expires_at from requests where service_id = $1", &[uid(12)]).await.unwrap();
        assert_eq!(ends.get::<Ts>(0).unwrap(), at(1));
    }

    async fn a_service_is_offered_to_one_organization_at_a_time(db: Db) {
        organizations_of(&db).await;
        let mut tx = db.begin().await.unwrap();
        let first = handover(1, 10, 0);
        handovers::insert(&mut tx, &first).await.unwrap();
        handovers::insert(&mut tx, &handover(2, 11, 0)).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let second = handovers::insert(&mut tx, &handover(3, 10, 1)).await;
        assert!(matches!(second, Err(StoreError::Duplicate { .. })), "{second:?}");
        drop(tx);
        let mut tx = db.begin().await.unwrap();
        let declined = first.after(Step::Decline, Some(id(NEW)), at(1)).unwrap();
        handovers::update(&mut tx, &declined).await.unwrap();
        handovers::insert(&mut tx, &handover(3, 10, 1)).await.unwrap();
        assert_eq!(handovers::find(&mut tx, first.id).await.unwrap(), Some(declined));
        assert_eq!(handovers::find_open(&mut tx, id(10)).await.unwrap(), Some(handover(3, 10, 1)));
        tx.commit().await.unwrap();
    }

    async fn lists_are_those_of_one_side_of_a_state_and_of_a_service(db: Db) {
        organizations_of(&db).await;
        let mut tx = db.begin().await.unwrap();
        let (one, two) = (handover(1, 10, 0), handover(2, 11, 1));
        let back = Handover { from: id(NEW), to: id(CONSUMER), ..handover(3, 12, 2) };
        for new in [&one, &two, &back] {
            handovers::insert(&mut tx, new).await.unwrap();
        }
        let expired = one.after(Step::Expire, None, at(14)).unwrap();
        assert_eq!(handovers::overdue(&mut tx, at(14), 10).await.unwrap(), std::slice::from_ref(&one));
        handovers::update(&mut tx, &expired).await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = db.read().await.unwrap();
        let mut list = async |of: u8, wanted: Wanted| {
            let found = handovers::list(&mut conn, id(of), wanted, 10).await.unwrap();
            found.into_iter().map(|one| one.id).collect::<Vec<_>>()
        };
        assert_eq!(list(NEW, Wanted::default()).await, [back.id, two.id, one.id]);
        assert_eq!(list(NEW, Wanted { direction: Some(Direction::Incoming), ..Wanted::default() }).await, [two.id, one.id]);
        assert_eq!(list(NEW, Wanted { direction: Some(Direction::Outgoing), ..Wanted::default() }).await, [back.id]);
        assert_eq!(list(NEW, Wanted { state: Some(HandoverState::Open), ..Wanted::default() }).await, [back.id, two.id]);
        assert_eq!(list(OLD, Wanted { service: Some(id(10)), ..Wanted::default() }).await, [one.id]);
        assert_eq!(list(NEW, Wanted { before: Some(two.id), ..Wanted::default() }).await, [one.id]);
        assert_eq!(handovers::list_open_of(&mut conn, id(NEW)).await.unwrap(), [two.clone(), back.clone()]);
        assert_eq!(handovers::waiting_for(&mut conn, id(NEW), at(3), 10).await.unwrap(), [two]);
        assert!(handovers::waiting_for(&mut conn, id(CONSUMER), at(16), 10).await.unwrap().is_empty(), "its time is over");
    }

    async fn what_goes_along_is_counted(db: Db) {
        organizations_of(&db).await;
        furnish(&db, 10, 2).await;
        furnish(&db, 12, 1).await;
        let mut conn = db.read().await.unwrap();
        let offered = handovers::offered(&mut conn, &[id(10), id(12), id(13)]).await.unwrap();
        assert_eq!(offered.len(), 2);
        let one = &offered[&id::<ServiceId>(10)];
        assert_eq!((one.load.subscribers, one.load.subscriptions, one.load.requests, one.load.contracts, one.load.audience), (1, 2, 2, 2, 2));
        assert_eq!(one.application.as_ref().map(|(_, name)| name.as_str()), Some("Engine"));
    }
}
