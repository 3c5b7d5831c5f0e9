"""Face models: packs and where they come from, backends that run them, and the analyser."""
