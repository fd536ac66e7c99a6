//! Usage reported by services.
