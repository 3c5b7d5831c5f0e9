"""How the gallery's tables came to be: alembic's scripts, run at every start."""
