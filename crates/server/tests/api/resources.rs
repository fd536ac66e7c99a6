//! Tests of the resources.
