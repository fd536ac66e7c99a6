//! Grants: which service may use which project's data.
