"""How a service lives: signals, health, metrics, logs."""
