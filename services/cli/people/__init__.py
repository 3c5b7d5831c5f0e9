"""People, sightings and unknowns from the command line, over the identifier's REST API."""
