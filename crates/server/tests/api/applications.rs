//! Tests of the applications.
