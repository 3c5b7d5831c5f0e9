"""What the log knows of the past: finding someone in it, explaining a name, forgetting a person."""
