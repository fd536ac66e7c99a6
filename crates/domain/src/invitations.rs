//! Invitations: memberships that wait for somebody to take them up.

use crate::{
    ids::{InvitationId, OrganizationId, UserId},
    permissions::Role,
    time::{DAY, Ts},
    words::words,
};

/// How long an invitation can be answered after it was sent, in microseconds.
pub const LIFE: i64 = 14 * DAY;

words! {
    /// Where an invitation is in its life. Only one that is pending changes any more.
    InvitationState, NotAnInvitationState, "a state of an invitation" {
        /// It waits for an answer.
        Pending = "pending",
        /// It became a membership.
        Accepted = "accepted",
        /// Who was invited does not want it.
        Declined = "declined",
        /// It was taken back, or another one took its place.
        Revoked = "revoked",
        /// Nobody answered in time.
        Expired = "expired",
    }
}

/// What can happen to an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Who was invited takes it up.
    Accept,
    /// Who was invited does not want it.
    Decline,
    /// Who invites takes it back.
    Revoke,
    /// It is sent once more, and its time begins anew.
    Resend,
    /// Its time is over.
    Expire,
}

/// An invitation as it is kept, without the secret of its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Into which organization.
    pub organization: OrganizationId,
    /// The address it is for; nobody with another one can take it up.
    pub email: String,
    /// What whoever invites calls the person; may be empty.
    pub name: String,
    /// The role the person gets.
    pub role: Role,
    /// Where it is in its life.
    pub state: InvitationState,
    /// Who invites.
    pub invited_by: UserId,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last sent.
    pub sent_at: Ts,
    /// When it can no longer be answered.
    pub expires_at: Ts,
    /// When it was answered, taken back or over.
    pub closed_at: Option<Ts>,
}

/// Why a step is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CannotAnswer {
    /// It is answered, taken back or over already.
    #[error("this invitation is {0} already")]
    Closed(InvitationState),
    /// Its time is over.
    #[error("this invitation has expired; ask for a new one")]
    Expired,
    /// Its time is not over yet.
    #[error("this invitation can still be answered")]
    NotYet,
}

impl Invitation {
    /// The invitation after a step.
    ///
    /// # Errors
    /// [`CannotAnswer`].
    pub fn after(&self, step: Step, now: Ts) -> Result<Self, CannotAnswer> {
        if self.state != InvitationState::Pending {
            return Err(CannotAnswer::Closed(self.state));
        }
        let over = self.expires_at <= now;
        let state = match step {
            Step::Accept | Step::Decline if over => return Err(CannotAnswer::Expired),
            Step::Expire if !over => return Err(CannotAnswer::NotYet),
            Step::Resend => return Ok(Self { sent_at: now, expires_at: now.plus(LIFE), ..self.clone() }),
            Step::Accept => InvitationState::Accepted,
            Step::Decline => InvitationState::Declined,
            Step::Revoke => InvitationState::Revoked,
            Step::Expire => InvitationState::Expired,
        };
        Ok(Self { state, closed_at: Some(now), ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ids::Id;

    fn invitation() -> Invitation {
        let now = Ts::from_micros(1_790_000_000_000_000);
        Invitation {
            id: InvitationId::mint(now, [1; 10]),
            organization: OrganizationId::mint(now, [1; 10]),
            email: "ben@people.example".into(),
            name: String::new(),
            role: Role::Editor,
            state: InvitationState::Pending,
            invited_by: UserId::mint(now, [1; 10]),
            created_at: now,
            sent_at: now,
            expires_at: now.plus(LIFE),
            closed_at: None,
        }
    }

    #[test]
    fn it_is_answered_within_two_weeks_of_being_sent() {
        let sent = invitation();
        let last = sent.sent_at.plus(LIFE - 1);
        assert_eq!(sent.after(Step::Accept, last).unwrap().state, InvitationState::Accepted);
        assert_eq!(sent.after(Step::Accept, sent.expires_at), Err(CannotAnswer::Expired));
        assert_eq!(sent.after(Step::Expire, last), Err(CannotAnswer::NotYet));
        let again = sent.after(Step::Resend, last).unwrap();
        assert_eq!(again.after(Step::Decline, sent.expires_at).unwrap().state, InvitationState::Declined);
    }

    proptest! {
        #[test]
        fn it_is_closed_once_and_for_all_and_never_accepted_too_late(
            steps in prop::collection::vec((prop::sample::select(vec![Step::Accept, Step::Decline, Step::Revoke, Step::Resend, Step::Expire]), 0..10 * DAY), 0..30)
        ) {
            let mut invitation = invitation();
            let mut now = invitation.created_at;
            let mut closed = 0;
            for (step, wait) in steps {
                now = now.plus(wait);
                let before = invitation.clone();
                match invitation.after(step, now) {
                    Ok(after) => {
                        prop_assert_eq!(before.state, InvitationState::Pending);
                        prop_assert!(step != Step::Accept || now < before.expires_at);
                        prop_assert_eq!(after.closed_at.is_some(), after.state != InvitationState::Pending);
                        closed += usize::from(after.state != InvitationState::Pending);
                        invitation = after;
                    }
                    Err(CannotAnswer::Closed(state)) => prop_assert_eq!(state, before.state),
                    Err(CannotAnswer::Expired) => prop_assert!(now >= before.expires_at),
                    Err(CannotAnswer::NotYet) => prop_assert!(now < before.expires_at),
                }
                prop_assert_eq!((&invitation.email, invitation.role), (&before.email, before.role));
            }
            prop_assert!(closed <= 1);
        }
    }
}
