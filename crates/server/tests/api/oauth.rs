//! Tests of the oauth.
