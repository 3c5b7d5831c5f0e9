"""Who may use the system: users, API tokens, and what each may do."""
