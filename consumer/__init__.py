"""The worker: frames in, faces with embeddings out."""
