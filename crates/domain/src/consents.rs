//! Consents: who agreed to which contract, when, with which permissions and at what price. Evidence, never changed.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    ids::{ConsentId, ContractId, OrganizationId, PlanId, ProjectId, RequestId, SubscriptionId, UserId},
    meters::Plan,
    services::{Contract, DataPermission},
    time::Ts,
    words::words,
};

words! {
    /// What was consented to.
    ConsentKind, NotAConsentKind, "a consent's kind" {
        /// A new subscription.
        Subscribed = "subscribed",
        /// Another version of the contract.
        Accepted = "accepted",
        /// A contract at the other level.
        LevelChanged = "level_changed",
        /// Another plan of the same contract.
        PlanChanged = "plan_changed",
    }
}

/// A consent as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// Its id.
    pub id: ConsentId,
    /// Who subscribes.
    pub organization: OrganizationId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// To what.
    pub kind: ConsentKind,
    /// Who accepted the text: the person who did it, or who asked for it.
    pub accepted_by: UserId,
    /// Who approved it, where it had to be asked for.
    pub approved_by: Option<UserId>,
    /// From when on it holds.
    pub at: Ts,
    /// Whose contract.
    pub provider: OrganizationId,
    /// The contract.
    pub contract: ContractId,
    /// Its version.
    pub version: i64,
    /// SHA-256 of [`canonical_text`].
    pub text_hash: TextHash,
    /// What the service may do.
    pub permissions: Vec<DataPermission>,
    /// The plan.
    pub plan: PlanId,
    /// Its prices.
    pub prices: Plan,
    /// The projects it was given for, by id and name, at that time.
    pub projects: Vec<(ProjectId, String)>,
    /// The request that was approved.
    pub request: Option<RequestId>,
}

/// SHA-256 of a contract's text.
pub type TextHash = [u8; 32];

/// A hash in hexadecimal digits.
pub fn digits(hash: &TextHash) -> String {
    hex::encode(hash)
}

/// The words of a contract as they are hashed: JSON without spaces, its keys in the order of the alphabet.
pub fn canonical_text(contract: &Contract, plans: &[(PlanId, Plan)]) -> String {
    let mut permissions: Vec<_> = contract.permissions.iter().map(|one| one.word()).collect();
    permissions.sort_unstable();
    let plans: Vec<_> = plans.iter().map(|(id, plan)| json!({"id": id, "prices": plan})).collect();
    json!({
        "contract": contract.id,
        "level": contract.level,
        "permissions": permissions,
        "plans": plans,
        "service": contract.service,
        "terms_url": contract.terms_url,
        "version": contract.version,
    })
    .to_string()
}

/// The hash of a contract's text.
pub fn text_hash(text: &str) -> TextHash {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ids::{Id as _, ServiceId},
        services::Level,
    };

    #[test]
    fn the_text_of_a_contract_never_reads_differently() {
        let plan: Plan = serde_json::from_value(json!({"name": "Basic", "currency": "EUR", "monthly": "12.50",
            "meters": [{"name": "calls", "unit": "call", "unit_price": "0.02"}]}))
        .unwrap();
        let contract = Contract {
            id: ContractId::mint(Ts::from_micros(1), [1; 10]),
            service: ServiceId::mint(Ts::from_micros(1), [2; 10]),
            version: 2,
            level: Level::Organization,
            permissions: vec![DataPermission::ResourcesWrite, DataPermission::ResourcesRead],
            terms_url: None,
            created_at: Ts::from_micros(1),
        };
        let text = canonical_text(&contract, &[(PlanId::mint(Ts::from_micros(1), [3; 10]), plan)]);
        assert_eq!(
            text,
            concat!(
                r#"{"contract":"ctr_0000000000e40r2081040g2081","level":"organization","permissions":["resources:read","#,
                r#""resources:write"],"plans":[{"id":"pln_0000000000ec1r60r30c1g60r3","prices":{"currency":"EUR","meters":"#,
                r#"[{"charge_model":"standard","name":"calls","unit":"call","unit_price":"0.02"}],"monthly":"12.50","#,
                r#""monthly_per_project":"0","name":"Basic","one_time":"0"}}],"service":"svc_0000000000e81840g2081040g2","#,
                r#""terms_url":null,"version":2}"#
            )
        );
        assert_eq!(digits(&text_hash("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
