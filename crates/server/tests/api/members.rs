//! Tests of the members.
