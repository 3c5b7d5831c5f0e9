"""Tracks: the faces of one camera followed from frame to frame, and who they are."""
