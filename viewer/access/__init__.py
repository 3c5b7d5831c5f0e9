"""Who may look and who may change: login, sessions, tokens."""
