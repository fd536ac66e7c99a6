//! Tests of the usage.
