"""People who were seen and have no name: numbered, found again, and named by whoever knows them."""
