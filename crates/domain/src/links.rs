//! Links that are sent to an address: opening one proves that the address is one's own.

use crate::{
    ids::UserId,
    time::{DAY, HOUR, Ts},
    words::words,
};

words! {
    /// What a link is for.
    Purpose, NotAPurpose, "a purpose of a link" {
        /// Makes an account.
        SignUp = "sign_up",
        /// Sets a password.
        SetPassword = "set_password",
        /// Gives an account this address.
        ConfirmAddress = "confirm_address",
        /// Gives an account this address back, which it had.
        UndoAddress = "undo_address",
    }
}

impl Purpose {
    /// How long it works, in microseconds.
    pub const fn life(self) -> i64 {
        match self {
            Self::SignUp | Self::SetPassword | Self::ConfirmAddress => HOUR,
            // Somebody who lost an account to a thief may read the mail days later.
            Self::UndoAddress => 7 * DAY,
        }
    }

    /// The page that takes it.
    pub const fn path(self) -> &'static str {
        match self {
            Self::SignUp => "/sign-up/confirm",
            Self::SetPassword => "/set-password",
            Self::ConfirmAddress => "/confirm-address",
            Self::UndoAddress => "/undo-address",
        }
    }
}

/// A link that still works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// What it is for.
    pub purpose: Purpose,
    /// The address it was sent to (or, of a change of address, the one the account gets).
    pub email: String,
    /// Whose account it is about; `None` where there is none yet.
    pub user: Option<UserId>,
    /// When it stops to work.
    pub expires_at: Ts,
}
