"""The page: every camera live, with boxes and names, and one stream per person."""
