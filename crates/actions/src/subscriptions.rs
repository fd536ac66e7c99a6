//! Subscriptions and their choice of projects.
