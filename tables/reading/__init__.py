"""reading - a generation on disk becomes answers (used by the engine and the panel's lookup page)."""
