//! What usage and fees amount to.
