"""One module per change, oldest first; a change that was released is never edited."""
