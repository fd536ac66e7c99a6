//! Requests and their decisions.
