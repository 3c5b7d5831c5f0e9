"""The REST API: enrolling people while frames are being matched."""
