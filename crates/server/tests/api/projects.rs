//! Tests of the projects.
