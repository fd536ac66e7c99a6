//! How Stoa is reached.

pub mod pages;
