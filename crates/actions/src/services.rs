//! Services, their contracts and plans.
