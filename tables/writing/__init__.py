"""writing - records become a generation on disk (used by the panel only)."""
