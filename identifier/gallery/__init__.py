"""The gallery: people, their reference photos, and what each recogniser made of them."""

from identifier.gallery.changes import changed

__all__ = ["changed"]
