"""Names: how many are right, wrong and missed, and what finding them costs."""
