"""`facestream tag`: photos and videos in, JSON and tagged pictures out."""
