"""How every service is doing, on one small topic."""
