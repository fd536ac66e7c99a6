//! What both engines promise alike: values, rows, failures, transactions and migrations.

#![cfg(test)]

use std::{
    collections::BTreeSet,
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use rust_decimal::Decimal;
use stoa_domain::{
    ids::{Id, OrganizationId},
    time::{Day, Ts},
};
use stoa_store::{Conn, DatabaseUrl, Db, Engine, Hold, StoreError, Tx, Value, params, values};
use stoa_testkit::{TestDb, both_engines, databases};

async fn create(db: &Db, sql: &str) {
    let mut tx = db.begin().await.unwrap();
    tx.execute(sql, &[]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn counters(db: &Db) {
    create(db, "create table counters (id BIGINT not null primary key, n BIGINT not null)").await;
    let mut tx = db.begin().await.unwrap();
    tx.execute("insert into counters (id, n) values ($1, $2)", params![1_i64, 0_i64]).await.unwrap();
    tx.commit().await.unwrap();
}

async fn counter(conn: &mut Conn) -> i64 {
    conn.fetch_one("select n from counters where id = $1", params![1_i64]).await.unwrap().get(0).unwrap()
}

async fn count(db: &Db) -> i64 {
    counter(&mut db.read().await.unwrap()).await
}

async fn add(tx: &mut Tx, n: i64) {
    tx.execute("update counters set n = n + $2 where id = $1", params![1_i64, n]).await.unwrap();
}

/// Polls a future once, then drops it.
async fn poll_once_and_drop<F: Future>(future: F) -> bool {
    let mut future = pin!(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}

fn must_be_send<T: Send + 'static>(value: T) -> T {
    value
}

both_engines! {
    async fn values_come_back_as_they_were(db: Db) {
        create(&db, "create table v (id BIGINT not null primary key, n BIGINT, t TEXT, b BYTEA)").await;
        let org = OrganizationId::mint(Ts::from_micros(1_790_000_000_000_000), [9; 10]);
        let rows: [(i64, Value, Value, Value); 5] = [
            (1, i64::MIN.into(), "".into(), Vec::<u8>::new().into()),
            (2, i64::MAX.into(), "Grüße, 世界 🦀 'quoted' $1 ?".into(), vec![0_u8, 1, 255].into()),
            (3, Value::Null, Value::Null, Value::Null),
            (4, Ts::from_micros(-1).into(), Decimal::new(-123_456_789, 8).into(), org.into()),
            (5, true.into(), "12345678901234.123456789".into(), [7_u8; 32].into()),
        ];
        let mut tx = db.begin().await.unwrap();
        for (id, n, t, b) in rows.clone() {
            let sql = "insert into v (b, t, n, id) values ($4, $3, $2, $1)";
            assert_eq!(tx.execute(sql, &[id.into(), n, t, b]).await.unwrap(), 1);
        }
        tx.commit().await.unwrap();
        let mut conn = db.read().await.unwrap();
        let read = conn.fetch_all("select id, n, t, b from v order by id", &[]).await.unwrap();
        for (row, (id, n, t, b)) in read.iter().zip(rows) {
            let expected = [id.into(), n, t, b];
            for (column, value) in expected.iter().enumerate() {
                assert_eq!(row.get::<Value>(column).unwrap(), *value);
            }
        }
        assert_eq!(read[3].get::<Ts>(1).unwrap(), Ts::from_micros(-1));
        assert_eq!(read[3].get::<Decimal>(2).unwrap(), Decimal::new(-123_456_789, 8));
        assert_eq!(read[3].get::<OrganizationId>(3).unwrap(), org);
        assert_eq!(read[4].parse::<Decimal>(2).unwrap().to_string(), "12345678901234.123456789");
        assert!(read[4].get::<bool>(1).unwrap());
        assert_eq!(read[2].get::<Option<Day>>(1).unwrap(), None);
    }

    async fn a_row_that_does_not_read_is_named_with_its_column(db: Db) {
        let sql = "select cast(2 as bigint), cast('x' as text), cast(null as text), cast('[1]' as text)";
        let row = db.read().await.unwrap().fetch_one(sql, &[]).await.unwrap();
        let corrupt = |result: Result<(), StoreError>, at| {
            assert!(matches!(&result, Err(StoreError::Corrupt { column, .. }) if *column == at), "{result:?}");
        };
        corrupt(row.get::<bool>(0).map(drop), 0);
        corrupt(row.get::<i64>(1).map(drop), 1);
        corrupt(row.get::<String>(2).map(drop), 2);
        corrupt(row.parse::<Decimal>(1).map(drop), 1);
        corrupt(row.get::<OrganizationId>(1).map(drop), 1);
        corrupt(row.get::<i64>(4).map(drop), 4);
        assert_eq!(row.json::<Vec<u32>>(3).unwrap(), [1]);
        assert_eq!(row.json_optional::<Vec<u32>>(2).unwrap(), None);
        assert_eq!(row.parse_optional::<Decimal>(2).unwrap(), None);
    }

    async fn small_integers_and_truth_read_as_integers(db: Db) {
        let mut conn = db.read().await.unwrap();
        let row = conn.fetch_one("select 1, 2 > 1, cast(3 as smallint), count(*) from (select 1) x", &[]).await.unwrap();
        let read: Vec<i64> = (0..4).map(|column| row.get(column).unwrap()).collect();
        assert_eq!(read, [1, 1, 3, 1]);
        assert!(conn.fetch_one("select 1 where 1 = 0", &[]).await.is_err());
        assert_eq!(conn.fetch_optional("select 1 where 1 = 0", &[]).await.unwrap(), None);
    }

    async fn parameters_fit_where_they_stand(db: Db) {
        counters(&db).await;
        let mut conn = db.read().await.unwrap();
        let row = conn.fetch_one(
            "select n from counters where ($1 = id or cast($2 as text) is null) and id = $1 limit $3",
            params![1_i64, None::<&str>, 10_u32],
        ).await.unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 0);
        for params in [params![], params![1_i64, 2_i64]] {
            assert!(matches!(
                conn.fetch_all("select n from counters where id = $1", params).await,
                Err(StoreError::Database(_))
            ));
        }
        // The connection is as good as before.
        assert_eq!(counter(&mut conn).await, 0);
    }

    async fn a_dropped_transaction_leaves_no_trace(db: Db) {
        counters(&db).await;
        {
            let mut tx = db.begin().await.unwrap();
            add(&mut tx, 5).await;
            assert_eq!(counter(&mut tx).await, 5);
        }
        let mut tx = db.begin().await.unwrap();
        assert_eq!(counter(&mut tx).await, 0);
        add(&mut tx, 1).await;
        tx.rollback().await.unwrap();
        assert_eq!(count(&db).await, 0);
    }

    async fn after_a_failure_only_rolling_back_is_left(db: Db) {
        counters(&db).await;
        let mut tx = db.begin().await.unwrap();
        add(&mut tx, 5).await;
        let twice = tx.execute("insert into counters (id, n) values (1, 1)", &[]).await;
        assert!(matches!(twice, Err(StoreError::Duplicate { .. })), "{twice:?}");
        assert!(tx.fetch_all("select n from counters", &[]).await.is_err());
        assert!(matches!(tx.commit().await, Err(StoreError::Duplicate { .. })));
        assert_eq!(count(&db).await, 0);
        let mut tx = db.begin().await.unwrap();
        add(&mut tx, 1).await;
        tx.commit().await.unwrap();
        assert_eq!(count(&db).await, 1);
    }

    async fn a_duplicate_names_the_same_constraint_on_both_engines(db: Db) {
        create(&db, "create table parents (id BIGINT not null primary key)").await;
        create(
            &db,
            "create table d (a BIGINT not null, b BIGINT, c BIGINT, e TEXT, parent BIGINT references parents (id),
             primary key (a), unique (b, c))",
        ).await;
        create(&db, "create unique index d_named_key on d (c, b, a)").await;
        create(&db, "create unique index d_lower_key on d (lower(e))").await;
        let insert = async |a: i64, b: i64, c: i64, e: Option<&str>, parent: Option<i64>| {
            let mut tx = db.begin().await.unwrap();
            let sql = "insert into d (a, b, c, e, parent) values ($1, $2, $3, $4, $5)";
            tx.execute(sql, params![a, b, c, e, parent]).await?;
            tx.commit().await
        };
        insert(1, 1, 1, Some("X"), None).await.unwrap();
        let constraint = |result| match result {
            Err(StoreError::Duplicate { constraint }) => constraint,
            other => panic!("{other:?}"),
        };
        assert_eq!(constraint(insert(1, 2, 2, None, None).await), "d_pkey");
        assert_eq!(constraint(insert(2, 1, 1, None, None).await), "d_b_c_key");
        assert_eq!(constraint(insert(3, 3, 3, Some("x"), None).await), "d_lower_key");
        assert!(matches!(insert(4, 4, 4, None, Some(9)).await, Err(StoreError::MissingReference)));
        create(&db, "create table h (handle TEXT not null)").await;
        create(&db, "create unique index h_our_name on h (handle)").await;
        let mut tx = db.begin().await.unwrap();
        tx.execute("insert into h (handle) values ('a')", &[]).await.unwrap();
        assert_eq!(constraint(tx.execute("insert into h (handle) values ('a')", &[]).await.map(drop)), "h_our_name");
    }

    async fn many_rows_are_inserted_with_one_statement(db: Db) {
        create(&db, "create table m (id BIGINT not null primary key, name TEXT, data BYTEA)").await;
        let head = "insert into m (id, name, data)";
        for (from, many, statements) in [(0_i64, 0_usize, 0), (0, 1, 1), (1, 1_000, 1), (2_000, 5_000, 1)] {
            let rows: Vec<Vec<Value>> = (from..).take(many).map(|i| values![i, format!("row {i}"), vec![1_u8, 2]]).collect();
            let mut tx = db.begin().await.unwrap();
            let before = db.statements();
            assert_eq!(tx.insert_many(head, 3, &rows, "").await.unwrap(), many as u64);
            assert_eq!(db.statements() - before, statements, "{many} rows");
            tx.commit().await.unwrap();
        }
        let row = db.read().await.unwrap()
            .fetch_one("select count(*), cast(sum(id) as bigint), min(name) from m", &[]).await.unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 6_001);
        assert_eq!(row.get::<i64>(1).unwrap(), (0..=1_000).sum::<i64>() + (2_000..7_000).sum::<i64>());
        let mut tx = db.begin().await.unwrap();
        let rows = [values![8_000_i64, Value::Null, Value::Null], values![8_001_i64, "some", Value::Null]];
        assert_eq!(tx.insert_many(head, 3, &rows, "").await.unwrap(), 2);
        let rows = [values![1_i64, "again", Value::Null], values![9_999_i64, "new", Value::Null]];
        assert_eq!(tx.insert_many(head, 3, &rows, "on conflict do nothing").await.unwrap(), 1);
        assert!(tx.insert_many(head, 2, &rows, "").await.is_err());
    }

    async fn statements_are_counted_but_not_those_that_frame_a_transaction(db: Db) {
        counters(&db).await;
        let before = db.statements();
        let mut tx = db.clone().begin().await.unwrap();
        add(&mut tx, 1).await;
        counter(&mut tx).await;
        tx.commit().await.unwrap();
        count(&db).await;
        assert_eq!(db.statements() - before, 3);
    }

    async fn what_is_not_committed_is_not_seen(db: Db) {
        counters(&db).await;
        let mut tx = db.begin().await.unwrap();
        add(&mut tx, 5).await;
        assert_eq!(count(&db).await, 0);
        tx.commit().await.unwrap();
        assert_eq!(count(&db).await, 5);
    }

    async fn a_locked_row_loses_no_update(db: Db) {
        counters(&db).await;
        let tasks: Vec<_> = (0..64).map(|task| {
            let db = db.clone();
            tokio::spawn(must_be_send(async move {
                for round in 0..10 {
                    let mut tx = db.begin().await.unwrap();
                    let rows = tx.lock("select n from counters where id = $1", params![1_i64]).await.unwrap();
                    let n: i64 = rows[0].get(0).unwrap();
                    tokio::task::yield_now().await;
                    tx.execute("update counters set n = $2 where id = $1", params![1_i64, n + 1]).await.unwrap();
                    // Neighbours that come to nothing must not disturb.
                    if (task + round) % 5 == 0 {
                        drop(tx);
                    } else {
                        tx.commit().await.unwrap();
                    }
                }
            }))
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(count(&db).await, 64 * 8);
    }

    async fn what_is_acknowledged_is_there(db: Db) {
        create(&db, "create table log (id BIGINT not null primary key)").await;
        let tasks: Vec<_> = (0..16_i64).map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let id = task * 1_000 + round;
                    let mut tx = db.begin().await.unwrap();
                    tx.execute("insert into log (id) values ($1)", params![id]).await.unwrap();
                    if round % 4 == 3 {
                        tx.rollback().await.unwrap();
                        continue;
                    }
                    tx.commit().await.unwrap();
                    let sql = "select count(*) from log where id = $1";
                    let row = db.read().await.unwrap().fetch_one(sql, params![id]).await.unwrap();
                    assert_eq!(row.get::<i64>(0).unwrap(), 1, "acknowledged, yet not to be seen");
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let row = db.read().await.unwrap().fetch_one("select count(*) from log", &[]).await.unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), 16 * 15);
    }

    async fn what_takes_itself_back_leaves_its_neighbours_as_they_were(db: Db) {
        counters(&db).await;
        create(&db, "create table kept (id BIGINT not null primary key, place BIGINT not null, text TEXT not null)").await;
        let long = "x".repeat(3 * 1024 * 1024);
        let tasks: Vec<_> = (0..32_i64).map(|task| {
            let (db, long) = (db.clone(), long.clone());
            tokio::spawn(async move {
                for round in 0..12 {
                    let id = task * 100 + round;
                    let mut tx = db.begin().await.unwrap();
                    // What is written depends on what was written before, as the number of an event does.
                    let rows = tx.lock("select n from counters where id = $1", params![1_i64]).await.unwrap();
                    let place: i64 = rows[0].get::<i64>(0).unwrap() + 1;
                    add(&mut tx, 1).await;
                    // Two of these are more than is kept to be written again.
                    let text = if (task + round) % 31 == 0 { long.as_str() } else { "short" };
                    let row = vec![Value::from(id), Value::from(place), Value::from(text)];
                    tx.insert_many("insert into kept (id, place, text)", 3, std::slice::from_ref(&row), "").await.unwrap();
                    if round % 4 == 1 {
                        let again = tx.insert_many("insert into kept (id, place, text)", 3, &[row], "").await;
                        assert!(matches!(again, Err(StoreError::Duplicate { .. })));
                    } else if round % 4 == 3 {
                        tx.send("update kept set place = -1", &[]).await.unwrap();
                    }
                    if round % 2 == 0 {
                        tx.commit().await.unwrap();
                    } else {
                        drop(tx);
                    }
                }
            })
        }).collect();
        for task in tasks {
            task.await.unwrap();
        }
        let rows = db.read().await.unwrap().fetch_all("select place, id from kept order by place", &[]).await.unwrap();
        let places: Vec<i64> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(places, (1..=32 * 6).collect::<Vec<_>>(), "each number once, in the order of the commits");
        assert!(rows.iter().all(|row| row.get::<i64>(1).unwrap() % 2 == 0), "what was taken back is gone");
        assert_eq!(count(&db).await, 32 * 6);
    }

    async fn several_queries_are_answered_in_their_order(db: Db) {
        counters(&db).await;
        let query = |n: i64| ("select cast($1 as bigint), n from counters".to_owned(), values![n]);
        let mut conn = db.read().await.unwrap();
        let answers = conn.fetch_each((1..=40).map(query).collect()).await.unwrap();
        let first: Vec<i64> = answers.iter().map(|rows| rows[0].get(0).unwrap()).collect();
        assert_eq!(first, (1..=40).collect::<Vec<_>>());
        let mut tx = db.begin().await.unwrap();
        tx.send("update counters set n = n + $1", params![2_i64]).await.unwrap();
        let seen = tx.fetch_each(vec![query(1)]).await.unwrap();
        assert_eq!(seen[0][0].get::<i64>(1).unwrap(), 2, "what was sent before is seen");
        assert!(tx.fetch_each(vec![query(1), ("select nothing".to_owned(), vec![])]).await.is_err());
        assert!(tx.fetch_each(vec![query(1)]).await.is_err(), "after a failure only rolling back is left");
        drop(tx);
        assert_eq!(count(&db).await, 0);
    }

    async fn what_was_sent_and_fails_is_told_before_anything_counts(db: Db) {
        counters(&db).await;
        for ends_at_once in [false, true] {
            let mut tx = db.begin().await.unwrap();
            add(&mut tx, 1).await;
            let sent = tx.send("insert into counters (id, n) values ($1, $2)", params![1_i64, 0_i64]).await;
            let told = match sent {
                Err(error) => error,
                Ok(()) if ends_at_once => tx.commit().await.unwrap_err(),
                Ok(()) => tx.fetch_one("select 1", &[]).await.unwrap_err(),
            };
            assert!(matches!(told, StoreError::Duplicate { .. }), "{told}");
            assert_eq!(count(&db).await, 0);
        }
    }

    async fn rows_are_shared_by_those_who_only_need_them_to_stay(db: Db) {
        counters(&db).await;
        if db.engine() == Engine::Sqlite {
            return; // It has one writer.
        }
        let sql = "select n from counters where id = $1";
        let mut first = db.begin().await.unwrap();
        let shared = first.holding(sql, Hold::Shared);
        first.fetch_one(&shared, params![1_i64]).await.unwrap();
        let mut second = db.begin().await.unwrap();
        second.fetch_one(&shared, params![1_i64]).await.unwrap();
        let mut third = db.begin().await.unwrap();
        let mut waits = Box::pin(async move {
            third.lock(sql, params![1_i64]).await.unwrap();
            third
        });
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut waits).await.is_err(), "two others hold it");
        first.commit().await.unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(100), &mut waits).await.is_err(), "one other holds it");
        second.commit().await.unwrap();
        drop(waits.await);
    }

    async fn futures_that_are_given_up_leave_the_engine_usable(db: Db) {
        counters(&db).await;
        // While waiting to begin, and while waiting for the acknowledgement of a commit.
        for _ in 0..50 {
            let mut first = db.begin().await.unwrap();
            add(&mut first, 1).await;
            let mut second = Box::pin(db.begin());
            let began = poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_ready())).await;
            poll_once_and_drop(first.commit()).await;
            // PostgreSQL may have answered already; SQLite has one writer.
            assert!(!began || db.engine() == Engine::Postgres);
            drop(second);
        }
        // Given up half-way, a commit may have happened or not; whatever is read now stays.
        let mut tx = db.begin().await.unwrap();
        let rows = tx.lock("select n from counters where id = $1", params![1_i64]).await.unwrap();
        let before: i64 = rows[0].get(0).unwrap();
        add(&mut tx, 1).await;
        tx.commit().await.unwrap();
        assert_eq!(count(&db).await, before + 1);
        assert!((0..=50).contains(&before));
        let mut conn = db.read().await.unwrap();
        poll_once_and_drop(conn.fetch_all("select n from counters", &[])).await;
        assert_eq!(counter(&mut conn).await, before + 1);
    }

    async fn many_given_rows_are_looked_up_in_one_statement(db: Db) {
        create(&db, "create table given_to (a BIGINT not null, b TEXT not null, c BYTEA not null, primary key (a, b, c))").await;
        let mut tx = db.begin().await.unwrap();
        let all: Vec<Vec<Value>> = (0..600_i64).map(|n| values![n, format!("t{n}"), vec![u8::try_from(n % 251).unwrap()]]).collect();
        tx.insert_many("insert into given_to (a, b, c)", 3, &all, "").await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = db.read().await.unwrap();
        let sql = "with given (a, b, c, d) as ({rows}) select t.a, given.d from given cross join given_to t
                   where t.a = given.a and t.b = given.b and t.c = given.c";
        for count in [0_i64, 1, 3, 300] {
            // Every second one is not there; the last column has a value in some rows only.
            let byte = |n: i64| vec![u8::try_from(n % 251).unwrap()];
            let given: Vec<Vec<Value>> = (0..count)
                .map(|n| values![n, if n % 2 == 0 { format!("t{n}") } else { "no".to_owned() }, byte(n), (n % 4 == 0).then_some(n)])
                .collect();
            let before = db.statements();
            let found = conn.fetch_given(sql, &given).await.unwrap();
            assert_eq!(db.statements() - before, u64::from(count > 0));
            let found: BTreeSet<(i64, Option<i64>)> = found.iter().map(|row| (row.get(0).unwrap(), row.get(1).unwrap())).collect();
            assert_eq!(found, (0..count).filter(|n| n % 2 == 0).map(|n| (n, (n % 4 == 0).then_some(n))).collect());
        }
        let uneven = [values![1_i64, "a", vec![1_u8], 1_i64], values![1_i64]];
        assert!(conn.fetch_given(sql, &uneven).await.is_err());
    }

    async fn migrations_are_applied_once(db: Db) {
        assert_eq!(db.pending_migrations().await.unwrap(), Vec::<String>::new());
        assert_eq!(db.migrate().await.unwrap(), 0);
    }

    async fn a_handle_checks_and_closes(db: Db) {
        counters(&db).await;
        db.check().await.unwrap();
        let clone = db.clone();
        db.close().await.unwrap();
        assert!(matches!(clone.check().await, Err(StoreError::Unavailable(_))));
        assert!(matches!(clone.begin().await.map(drop), Err(StoreError::Unavailable(_))));
    }
}

/// The last thing migrations add stands in their way: none of them is applied, and once it is gone, all are.
async fn migrate_all_or_nothing(test: TestDb) {
    let pending = test.db.pending_migrations().await.unwrap();
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("create table subscription_setups (id bigint)", &[]).await.unwrap();
    tx.commit().await.unwrap();
    for _ in 0..2 {
        let refused = test.db.migrate().await.unwrap_err();
        assert!(refused.to_string().contains("subscription_setups"), "{refused}");
        assert_eq!(test.db.pending_migrations().await.unwrap(), pending);
    }
    let mut tx = test.db.begin().await.unwrap();
    tx.execute("drop table subscription_setups", &[]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(test.db.migrate().await.unwrap(), pending.len());
    assert_eq!(test.db.pending_migrations().await.unwrap(), Vec::<String>::new());
}

#[test]
fn migrations_are_applied_together_or_not_at_all_on_sqlite() {
    databases::run(async { migrate_all_or_nothing(databases::empty_sqlite().await).await });
}

#[test]
fn migrations_are_applied_together_or_not_at_all_on_postgres() {
    databases::run(async { migrate_all_or_nothing(databases::empty_postgres().await).await });
}

async fn migrate_concurrently(test: TestDb) {
    let pending = test.db.pending_migrations().await.unwrap();
    assert!(pending[0].starts_with("V1__"), "{pending:?}");
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = test.url.clone();
            tokio::spawn(async move {
                let db = Db::open(&url).await.unwrap();
                let applied = db.migrate().await.unwrap();
                assert_eq!(db.pending_migrations().await.unwrap(), Vec::<String>::new());
                db.close().await.unwrap();
                applied
            })
        })
        .collect();
    let mut applied = 0;
    for node in nodes {
        applied += node.await.unwrap();
    }
    assert_eq!(applied, pending.len());
}

#[test]
fn nodes_that_start_at_once_migrate_once_on_sqlite() {
    databases::run(async { migrate_concurrently(databases::empty_sqlite().await).await });
}

#[test]
fn nodes_that_start_at_once_migrate_once_on_postgres() {
    databases::run(async { migrate_concurrently(databases::empty_postgres().await).await });
}

#[test]
fn both_engines_have_the_same_tables_and_columns() {
    async fn columns(db: &Db) -> BTreeSet<String> {
        let sql = match db.engine() {
            Engine::Sqlite => {
                "select m.name || '.' || c.name from sqlite_master m join pragma_table_xinfo(m.name) c
                 where m.type = 'table' and c.hidden = 0 and m.name not like 'sqlite_%'"
            }
            Engine::Postgres => {
                "select cast(table_name || '.' || column_name as text) from information_schema.columns
                 where table_schema = current_schema()"
            }
        };
        let rows = db.read().await.unwrap().fetch_all(sql, &[]).await.unwrap();
        rows.iter()
            .map(|row| row.get::<String>(0).unwrap())
            // Full-text search is each engine's own; the lock row is PostgreSQL's.
            .filter(|name| !name.starts_with("service_search") && !name.starts_with("stoa_migration_lock"))
            .collect()
    }
    databases::run(async {
        let (sqlite, postgres) = (databases::sqlite().await, databases::postgres().await);
        let (sqlite, postgres) = (columns(&sqlite.db).await, columns(&postgres.db).await);
        let differ: Vec<_> = sqlite.symmetric_difference(&postgres).collect();
        assert!(differ.is_empty(), "{differ:?}");
    });
}

#[test]
fn a_full_disk_fails_all_who_share_the_commit() {
    databases::run(async {
        let test = databases::empty_sqlite().await;
        let db = &test.db;
        create(db, "create table big (id BIGINT not null primary key, data BYTEA)").await;
        let mut first = db.begin().await.unwrap();
        let pages: i64 = first.fetch_one("pragma page_count", &[]).await.unwrap().get(0).unwrap();
        first.fetch_one(&format!("pragma max_page_count = {}", pages + 20), &[]).await.unwrap();
        first.execute("insert into big (id, data) values (1, $1)", params![vec![1_u8; 100]]).await.unwrap();
        let mut second = Box::pin(db.begin());
        assert!(!poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_ready())).await);
        let mut commit = Box::pin(first.commit());
        // Somebody waits, so the commit is left to them; or the transaction is no longer young and it is done now.
        let early = poll_fn(|context| match commit.as_mut().poll(context) {
            Poll::Ready(result) => Poll::Ready(Some(result)),
            Poll::Pending => Poll::Ready(None),
        })
        .await;
        let mut second = second.await.unwrap();
        let refused = second.execute("insert into big (id, data) values (2, $1)", params![vec![1_u8; 1_000_000]]).await;
        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        assert!(second.commit().await.is_err());
        let acknowledged = match early {
            Some(result) => result.is_ok(),
            None => commit.await.is_ok(),
        };
        let row = db.read().await.unwrap().fetch_one("select count(*) from big", &[]).await.unwrap();
        assert_eq!(row.get::<i64>(0).unwrap(), i64::from(acknowledged));
    });
}

#[test]
fn a_waiter_that_vanishes_leaves_the_commit_to_the_flush() {
    databases::run(async {
        let test = databases::empty_sqlite().await;
        let db = &test.db;
        counters(db).await;
        let mut shared = 0;
        for _ in 0..50 {
            let mut first = db.begin().await.unwrap();
            add(&mut first, 1).await;
            let mut second = Box::pin(db.begin());
            assert!(!poll_fn(|context| Poll::Ready(second.as_mut().poll(context).is_ready())).await);
            let mut commit = Box::pin(first.commit());
            if poll_fn(|context| Poll::Ready(commit.as_mut().poll(context).is_ready())).await {
                continue;
            }
            shared += 1;
            drop(second);
            tokio::time::timeout(Duration::from_secs(5), commit).await.expect("an acknowledgement").unwrap();
        }
        assert!(shared > 0, "no commit was left to a waiter");
        assert_eq!(count(db).await, 50);
    });
}

#[test]
fn a_runtime_of_one_thread_serves_as_well() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let test = databases::empty_sqlite().await;
        counters(&test.db).await;
        let tasks: Vec<_> = (0..16)
            .map(|_| {
                let db = test.db.clone();
                tokio::spawn(async move {
                    for _ in 0..10 {
                        let mut tx = db.begin().await.unwrap();
                        add(&mut tx, 1).await;
                        tx.commit().await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(count(&test.db).await, 160);
    });
}

#[test]
fn a_closed_file_opens_again_with_all_that_was_committed() {
    databases::run(async {
        let test = databases::empty_sqlite().await;
        let (db, url) = (test.db.clone(), test.url.clone());
        counters(&db).await;
        let mut tx = db.begin().await.unwrap();
        add(&mut tx, 3).await;
        tx.commit().await.unwrap();
        db.close().await.unwrap();
        let DatabaseUrl::Sqlite(path) = &url else { panic!("{url}") };
        assert!(!path.with_extension("db-wal").exists());
        assert_eq!(count(&Db::open(&url).await.unwrap()).await, 3);
    });
}

#[test]
fn a_database_that_cannot_be_reached_is_unavailable() {
    databases::run(async {
        for url in ["sqlite:/nowhere/at/all/stoa.db", "postgres://nobody@127.0.0.1:1/none"] {
            let opened = Db::open(&url.parse().unwrap()).await;
            assert!(matches!(opened, Err(StoreError::Unavailable(_))), "{url}: {opened:?}");
        }
    });
}
