"""`facestream users` and `facestream tokens`: who may use the system."""
