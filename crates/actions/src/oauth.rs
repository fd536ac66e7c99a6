//! Access tokens of applications.
