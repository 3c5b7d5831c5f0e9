"""The memory: who was where, written down as it happens."""
