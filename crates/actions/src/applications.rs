//! Applications and their secrets.
