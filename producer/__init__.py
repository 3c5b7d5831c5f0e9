"""The producer: frames from cameras, videos and pictures into `frames.raw`."""
