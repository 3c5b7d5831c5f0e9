"""The wire format: what a record's key, headers and value mean."""
