//! Tests of the health.
