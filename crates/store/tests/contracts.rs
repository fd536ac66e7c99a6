//! What is kept of contracts: terms in time, offers and what became of them, and consents.

#![cfg(test)]

use stoa_domain::{
    consents::{Consent, ConsentKind, text_hash},
    ids::{ConsentId, ContractId, Id, OrganizationId, PlanId, ProjectId, ServiceId, SubscriptionId, UserId},
    meters::Plan,
    offers::{ContractOffer, OfferState, PlanPaths},
    organizations::Key,
    services::DataPermission,
    terms::TermsSince,
    time::Ts,
    users::User,
};
use stoa_store::{Db, Tx, consents, offers, params, services, terms, users};
use stoa_testkit::both_engines;

fn mint<I: Id>(number: u8) -> I {
    I::mint(Ts::from_micros(1_000_000), [number; 10])
}

const CONSUMER: u8 = 1;
const PROVIDER: u8 = 2;

fn at(micros: i64) -> Ts {
    Ts::from_micros(micros)
}

fn plan(name: &str) -> Plan {
    serde_json::from_value(serde_json::json!({"name": name, "currency": "EUR", "monthly": "10"})).unwrap()
}

/// A service with two versions of its contract, each with a plan, and two live subscriptions on the first.
async fn filled(db: &Db) -> Tx {
    let mut tx = db.begin().await.unwrap();
    let user =
        User { id: mint(1), email: "ada@grid.example".into(), name: "Ada".into(), operator: false, created_at: at(1), suspended: false };
    users::insert(&mut tx, &user, None).await.unwrap();
    for (number, name) in [(CONSUMER, "grid"), (PROVIDER, "lens")] {
        let sql =
            "insert into organizations (id, handle, name, name_key, description, created_at, updated_at) values ($1, $2, $2, $2, '', 1, 1)";
        tx.execute(sql, params![mint::<OrganizationId>(number), name]).await.unwrap();
    }
    let sql = "insert into applications (id, organization_id, name, description, redirect_uris, created_at, updated_at)
               values ($1, $2, 'Engine', '', '[]', 1, 1)";
    tx.execute(sql, params![mint::<stoa_domain::ids::ApplicationId>(1), mint::<OrganizationId>(PROVIDER)]).await.unwrap();
    let sql =
        "insert into services (organization_id, id, handle, application_id, name, name_key, summary, description, categories, visibility,
                 state, contract_id, created_at, updated_at)
               values ($1, $2, 'load', $3, 'Load', 'load', '', '', '[]', 'public', 'published', $4, 1, 1)";
    let application = mint::<stoa_domain::ids::ApplicationId>(1);
    tx.execute(sql, params![mint::<OrganizationId>(PROVIDER), mint::<ServiceId>(1), application, mint::<ContractId>(2)]).await.unwrap();
    for version in [1_u8, 2] {
        let sql = "insert into contracts (organization_id, id, service_id, version, level, permissions, price_hint, created_at)
                   values ($1, $2, $3, $4, 'organization', '[\"resources:read\"]', '{}', 1)";
        let (provider, contract) = (mint::<OrganizationId>(PROVIDER), mint::<ContractId>(version));
        tx.execute(sql, params![provider, contract, mint::<ServiceId>(1), i64::from(version)]).await.unwrap();
        let sql = "insert into plans (organization_id, contract_id, id, position, name, currency, prices) values ($1, $2, $3, 0, 'Basic', 'EUR', $4)";
        let prices = serde_json::to_string(&plan("Basic")).unwrap();
        tx.execute(sql, params![provider, contract, mint::<PlanId>(version), prices]).await.unwrap();
    }
    for number in [1_u8, 2] {
        let sql = "insert into subscriptions (organization_id, id, provider_id, service_id, contract_id, plan_id, state, mode, include_future, note,
                     requested_by, created_at, activated_at)
                   values ($1, $2, $3, $4, $5, $6, 'active', 'all', 'yes', '', $7, 10, 10)";
        let values = params![
            mint::<OrganizationId>(CONSUMER),
            mint::<SubscriptionId>(number),
            mint::<OrganizationId>(PROVIDER),
            mint::<ServiceId>(1),
            mint::<ContractId>(1),
            mint::<PlanId>(1),
            mint::<UserId>(1)
        ];
        tx.execute(sql, values).await.unwrap();
    }
    tx
}

fn offer(subscription: u8, state: OfferState, until: Option<i64>) -> ContractOffer {
    ContractOffer {
        organization: mint(CONSUMER),
        subscription: mint(subscription),
        contract: mint(2),
        provider: mint(PROVIDER),
        service: mint(1),
        state,
        offered_at: at(20),
        until: until.map(at),
        decided_by: None,
        decided_at: None,
    }
}

both_engines! {
    async fn terms_are_read_in_the_order_in_which_they_began(db: Db) {
        let mut tx = filled(&db).await;
        let since = |micros: i64, number: u8| TermsSince { since: at(micros), contract: mint(number), plan: mint(number) };
        let (consumer, one, other): (OrganizationId, SubscriptionId, SubscriptionId) = (mint(CONSUMER), mint(1), mint(2));
        terms::insert_many(&mut tx, &[(consumer, one, since(30, 2)), (consumer, one, since(10, 1)), (consumer, other, since(10, 1))]).await.unwrap();
        // Of two at the same instant the later counts.
        terms::insert_many(&mut tx, &[(consumer, other, since(10, 2))]).await.unwrap();
        let all = terms::of_organization(&mut tx, consumer, None).await.unwrap();
        assert_eq!(all[&one], [since(10, 1), since(30, 2)]);
        assert_eq!(all[&other], [since(10, 2)]);
        let only = terms::of_organization(&mut tx, consumer, Some(&[one])).await.unwrap();
        assert_eq!((only.len(), only[&one].len()), (1, 2));
        let many = terms::of_many(&mut tx, [(consumer, one), (consumer, other), (consumer, mint(9))]).await.unwrap();
        assert_eq!(many, all);
    }

    async fn offers_reach_each_subscription_once_and_are_found_when_their_day_comes(db: Db) {
        let mut tx = filled(&db).await;
        let service = services::find(&mut tx, &Key::Id(mint::<ServiceId>(1))).await.unwrap().unwrap();
        assert_eq!(offers::subscribers(&mut tx, &service, 10).await.unwrap(), [mint::<OrganizationId>(CONSUMER)]);
        assert_eq!(offers::plans_in_use(&mut tx, &service).await.unwrap(), [mint::<PlanId>(1)]);
        let unreached = offers::unreached(&mut tx, &service, 10).await.unwrap();
        assert_eq!(unreached.len(), 2);
        offers::insert_many(&mut tx, &[offer(1, OfferState::Open, Some(100)), offer(2, OfferState::Applied, None)]).await.unwrap();
        offers::apply(&mut tx, &unreached[1..], mint(2), mint(2)).await.unwrap();
        assert!(offers::unreached(&mut tx, &service, 10).await.unwrap().is_empty());
        let found = offers::waiting(&mut tx, mint(CONSUMER), mint(1)).await.unwrap();
        assert_eq!(found, Some(offer(1, OfferState::Open, Some(100))));
        assert_eq!(offers::waiting(&mut tx, mint(CONSUMER), mint(2)).await.unwrap(), None);
        let both = [mint(1), mint(2)];
        assert_eq!(offers::waiting_of(&mut tx, &service, &both).await.unwrap(), [offer(1, OfferState::Open, Some(100))]);
        assert!(offers::waiting_of(&mut tx, &service, &[]).await.unwrap().is_empty());

        assert!(offers::due(&mut tx, at(99), 10).await.unwrap().is_empty());
        assert_eq!(offers::due(&mut tx, at(100), 10).await.unwrap().len(), 1);
        let unreminded = offers::unreminded(&mut tx, at(100), 10).await.unwrap();
        assert!(offers::set_reminded(&mut tx, &unreminded[0], at(50)).await.unwrap());
        assert!(!offers::set_reminded(&mut tx, &unreminded[0], at(51)).await.unwrap());
        assert!(offers::unreminded(&mut tx, at(100), 10).await.unwrap().is_empty());

        let refused = ContractOffer { state: OfferState::Refused, decided_by: Some(mint(1)), decided_at: Some(at(60)), ..offer(1, OfferState::Open, Some(100)) };
        offers::set_state(&mut tx, &refused).await.unwrap();
        assert_eq!(offers::waiting(&mut tx, mint(CONSUMER), mint(1)).await.unwrap(), Some(refused));
        let versions = offers::versions(&mut tx, &service, None, 10).await.unwrap();
        let shown: Vec<_> = versions.iter().map(|one| (one.contract.version, one.live, one.open, one.refused)).collect();
        assert_eq!(shown, [(2, 1, 0, 1), (1, 1, 0, 0)]);
        assert_eq!(offers::versions(&mut tx, &service, Some(2), 10).await.unwrap().len(), 1);
        let plans = offers::plans_of(&mut tx, mint(PROVIDER), &[mint(1), mint(2)]).await.unwrap();
        assert_eq!(plans.len(), 2);
        offers::supersede(&mut tx, &service, mint(3)).await.unwrap();
        assert_eq!(offers::waiting(&mut tx, mint(CONSUMER), mint(1)).await.unwrap(), None);
    }

    async fn how_a_contract_is_offered_and_how_far_it_came_is_kept(db: Db) {
        let mut tx = filled(&db).await;
        assert_eq!(offers::terms(&mut tx, mint(PROVIDER), mint(1)).await.unwrap(), offers::Terms::default());
        let paths = PlanPaths([("Basic".to_owned(), "Plus".to_owned())].into());
        let kept = offers::Terms { notice_until: Some(at(500)), paths };
        offers::set_terms(&mut tx, mint(PROVIDER), mint(2), &kept).await.unwrap();
        assert_eq!(offers::terms(&mut tx, mint(PROVIDER), mint(2)).await.unwrap(), kept);
        let service = services::find(&mut tx, &Key::Id(mint::<ServiceId>(1))).await.unwrap().unwrap();
        assert!(offers::rollouts(&mut tx, 10).await.unwrap().is_empty());
        for _ in 0..2 {
            offers::set_rollout(&mut tx, &service, true, at(30)).await.unwrap();
        }
        assert_eq!(offers::rollouts(&mut tx, 10).await.unwrap(), [mint::<ServiceId>(1)]);
        offers::set_rollout(&mut tx, &service, false, at(31)).await.unwrap();
        assert!(offers::rollouts(&mut tx, 10).await.unwrap().is_empty());
    }

    async fn a_consent_reads_back_with_the_words_that_were_kept_first(db: Db) {
        let mut tx = filled(&db).await;
        let consent = |number: u8| Consent {
            id: mint(number),
            organization: mint(CONSUMER),
            subscription: mint(1),
            kind: ConsentKind::Accepted,
            accepted_by: mint(1),
            approved_by: None,
            at: at(40),
            provider: mint(PROVIDER),
            contract: mint(1),
            version: 1,
            text_hash: text_hash("words"),
            permissions: vec![DataPermission::ResourcesRead],
            plan: mint(1),
            prices: plan("Basic"),
            projects: vec![(mint::<ProjectId>(1), "North".to_owned())],
            request: None,
        };
        for number in [1, 2] {
            consents::insert(&mut tx, &consent(number)).await.unwrap();
        }
        let (organization, subscription) = (mint(CONSUMER), mint(1));
        assert_eq!(consents::list(&mut tx, organization, subscription, None, 10).await.unwrap(), [consent(1), consent(2)]);
        let after = Some(mint::<ConsentId>(1));
        assert_eq!(consents::list(&mut tx, organization, subscription, after, 10).await.unwrap(), [consent(2)]);
        assert_eq!(consents::find(&mut tx, organization, subscription, mint(2)).await.unwrap(), Some(consent(2)));
        assert_eq!(consents::find(&mut tx, organization, mint(2), mint(2)).await.unwrap(), None);
        for text in ["words", "other words"] {
            consents::keep_text(&mut tx, mint(PROVIDER), mint(1), text_hash(text), text).await.unwrap();
        }
        let kept = consents::find_text(&mut tx, mint(PROVIDER), mint(1)).await.unwrap();
        assert_eq!(kept, Some((text_hash("words"), "words".to_owned())));
    }
}
