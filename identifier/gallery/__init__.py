"""The gallery: people, their reference photos, and what each recogniser made of them."""
