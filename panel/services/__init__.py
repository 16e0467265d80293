"""services - everything that touches two rows or the outside: one file per action."""
