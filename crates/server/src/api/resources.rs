//! Resources of projects.
