//! Tests of the access.
