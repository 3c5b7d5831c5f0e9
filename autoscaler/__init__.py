"""Sets the number of workers from how far they are behind."""
