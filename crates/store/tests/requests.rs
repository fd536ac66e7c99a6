//! What is kept of requests, policies and delegations, on both engines.

#![cfg(test)]

use std::collections::BTreeSet;

use stoa_domain::{
    delegations::Delegation,
    ids::{DelegationId, OrganizationId, ProjectId, RequestId, ServiceId, UserId},
    permissions::Role,
    policies::{Policy, Rule},
    requests::{Asked, Decision, DecisionRecord, Request, RequestKind, RequestState, Step},
};
use stoa_store::{
    Db, Viewer, delegations, members, policies,
    requests::{self, Counts, Wanted, Whose},
};
use stoa_testkit::{
    both_engines,
    rows::{at, company, id},
};

/// An organization with the maintainer 1, the reviewer 2, the editor 3 and the viewer 4.
async fn grid(db: &Db) -> OrganizationId {
    let mut tx = db.begin().await.unwrap();
    let people = [(1, Role::Maintainer), (2, Role::Reviewer), (3, Role::Editor), (4, Role::Viewer)];
    let organization = company(&mut tx, 9, ("grid", "Grid"), &people).await.unwrap();
    tx.commit().await.unwrap();
    organization
}

fn request(number: u8, requested_by: u8) -> Request {
    Request {
        id: id(number),
        organization: id(9),
        provider: None,
        kind: RequestKind::AddProjects,
        state: RequestState::Open,
        step: Step::Internal,
        service: id::<ServiceId>(1),
        subscription: None,
        asked: Asked { add: BTreeSet::from([id::<ProjectId>(1)]), ..Asked::default() },
        note: "for the winter".into(),
        rule: "Large: because".into(),
        requested_by: id(requested_by),
        created_at: at(0),
        expires_at: at(30),
        due_at: at(15),
        decided_at: None,
    }
}

fn said(decision: Decision, by: u8) -> DecisionRecord {
    DecisionRecord {
        step: Step::Internal,
        decision,
        decided_by: id(by),
        decided_by_name: format!("Person {by}"),
        on_behalf_of: None,
        comment: "so".into(),
        changes: Vec::new(),
        void: false,
        decided_at: at(1),
    }
}

both_engines! {
    async fn a_request_reads_back_changed_and_with_what_was_said(db: Db) {
        grid(&db).await;
        let (one, other) = (request(1, 4), request(2, 3));
        let mut tx = db.begin().await.unwrap();
        requests::insert_many(&mut tx, &[one.clone(), other.clone()]).await.unwrap();
        let due = requests::due(&mut tx, at(15), 10).await.unwrap();
        assert_eq!((due.len(), requests::due(&mut tx, at(14), 10).await.unwrap().len()), (2, 0));
        let stead = DecisionRecord { on_behalf_of: Some((id(2), "Person 2".into())), ..said(Decision::Approved, 3) };
        requests::insert_decision(&mut tx, &one, &stead).await.unwrap();
        let answer = DecisionRecord { changes: vec!["with North".into()], ..said(Decision::Answered, 4) };
        requests::insert_decision(&mut tx, &one, &answer).await.unwrap();
        requests::void_approvals(&mut tx, one.organization, one.id, Step::Provider).await.unwrap();
        assert!(requests::decisions(&mut tx, &[one.id]).await.unwrap().iter().all(|(_, said)| !said.void));
        requests::void_approvals(&mut tx, one.organization, one.id, Step::Internal).await.unwrap();
        let kept: Vec<_> = requests::decisions(&mut tx, &[one.id, other.id]).await.unwrap().into_iter().map(|(_, said)| said).collect();
        assert_eq!(kept, [DecisionRecord { void: true, ..stead }, answer]);
        let changed = Request {
            state: RequestState::Expired,
            step: Step::Provider,
            asked: Asked::default(),
            note: "no more".into(),
            rule: String::new(),
            expires_at: at(31),
            due_at: at(30),
            decided_at: Some(at(31)),
            ..one.clone()
        };
        requests::update(&mut tx, &changed).await.unwrap();
        assert_eq!(requests::find_many(&mut tx, &[one.id, other.id, id::<RequestId>(7)]).await.unwrap(), [changed, other]);
        tx.commit().await.unwrap();
    }

    async fn the_inbox_counts_what_waits_for_whom(db: Db) {
        let organization = grid(&db).await;
        let asked = Request { state: RequestState::NeedsInfo, ..request(2, 4) };
        let mut tx = db.begin().await.unwrap();
        requests::insert_many(&mut tx, &[request(1, 4), asked, request(3, 2)]).await.unwrap();
        let away = Delegation {
            id: id::<DelegationId>(1),
            organization,
            absent: id(2),
            delegate: id(3),
            starts_at: at(2),
            ends_at: at(4),
            ended_at: None,
            created_at: at(0),
        };
        delegations::insert(&mut tx, &away).await.unwrap();
        tx.commit().await.unwrap();
        let mut conn = db.read().await.unwrap();
        for (user, day, expected) in [
            (1, 1, Counts { waiting: 2, asked: 1, mine: 0 }),
            (2, 1, Counts { waiting: 1, asked: 1, mine: 1 }),
            (4, 1, Counts { waiting: 1, asked: 0, mine: 2 }),
            (3, 1, Counts { waiting: 0, asked: 0, mine: 0 }),
            // While the reviewer is away, the editor decides what the reviewer could: not the reviewer's own.
            (3, 3, Counts { waiting: 1, asked: 1, mine: 0 }),
            (3, 4, Counts { waiting: 0, asked: 0, mine: 0 }),
        ] {
            let viewer = Viewer::from(id::<UserId>(user));
            assert_eq!(requests::counts(&mut conn, &viewer, at(day)).await.unwrap(), expected, "person {user} on day {day}");
            let waiting = requests::list(&mut conn, Whose::Waiting(&viewer, at(day)), Wanted::Open, None, 10).await.unwrap();
            assert_eq!(u64::try_from(waiting.len()).unwrap(), expected.waiting);
            let all = requests::list(&mut conn, Whose::Member(&viewer), Wanted::Any, None, 10).await.unwrap();
            assert_eq!(all.len(), 3);
        }
        let limited = Viewer { user: id(1), within: Some(Vec::new()) };
        assert_eq!(requests::counts(&mut conn, &limited, at(1)).await.unwrap(), Counts::default());
        assert_eq!(requests::count_decidable_in(&mut conn, id(3), organization, at(3)).await.unwrap(), 2);
    }

    async fn delegations_hold_for_their_time_and_as_long_as_the_role_decides(db: Db) {
        let organization = grid(&db).await;
        let of = |number: u8, absent: u8| Delegation {
            id: id::<DelegationId>(number),
            organization,
            absent: id(absent),
            delegate: id(3),
            starts_at: at(2),
            ends_at: at(4),
            ended_at: None,
            created_at: at(0),
        };
        let mut tx = db.begin().await.unwrap();
        for one in [of(1, 1), of(2, 2)] {
            delegations::insert(&mut tx, &one).await.unwrap();
        }
        assert_eq!(delegations::find(&mut tx, organization, id(1)).await.unwrap(), Some(of(1, 1)));
        let absent = [(id::<UserId>(1), "Person 1".to_owned()), (id(2), "Person 2".to_owned())];
        assert_eq!(delegations::absent_for(&mut tx, organization, id(3), at(2)).await.unwrap(), absent);
        assert_eq!(delegations::absent_for(&mut tx, organization, id(3), at(4)).await.unwrap(), []);
        assert_eq!(delegations::deciders(&mut tx, organization, at(3), 10).await.unwrap().len(), 4);
        members::set_role(&mut tx, organization, id(2), Role::Editor).await.unwrap();
        assert_eq!(delegations::absent_for(&mut tx, organization, id(3), at(3)).await.unwrap(), absent[..1]);
        assert_eq!(delegations::ahead(&mut tx, organization, Some(id(2)), at(0), 10).await.unwrap(), [of(2, 2)]);
        delegations::end_many(&mut tx, organization, &[id(1), id(2)], at(3)).await.unwrap();
        assert_eq!(delegations::ahead(&mut tx, organization, None, at(0), 10).await.unwrap(), []);
        tx.commit().await.unwrap();
    }

    async fn a_policy_is_the_usual_one_until_it_is_set(db: Db) {
        let organization = grid(&db).await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(policies::find(&mut tx, organization).await.unwrap(), Policy::default());
        let rule = Rule {
            name: "Writing".into(),
            roles: BTreeSet::from([Role::Editor]),
            kinds: BTreeSet::from([RequestKind::Subscribe]),
            monthly_from: Vec::new(),
            permissions: BTreeSet::new(),
        };
        for days in [10, 12] {
            let policy = Policy { request_days: days, rules: vec![rule.clone()] };
            policies::set(&mut tx, organization, &policy, id(1), at(1)).await.unwrap();
            assert_eq!(policies::find(&mut tx, organization).await.unwrap(), policy);
        }
        let days = policies::request_days(&mut tx, &[organization, id(8)]).await.unwrap();
        assert_eq!((days[&organization], days[&id::<OrganizationId>(8)]), (12, 30));
        tx.commit().await.unwrap();
    }
}
