//! Tests of the costs.
