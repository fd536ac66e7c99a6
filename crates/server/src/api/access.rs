//! Decisions: may this be done with that?
