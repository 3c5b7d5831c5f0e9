"""What every facestream service stands on."""
