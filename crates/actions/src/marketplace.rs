//! Finding services.
