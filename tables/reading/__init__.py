"""reading - a generation on disk becomes answers (for the engine and the lookup page)."""
