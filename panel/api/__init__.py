"""api - the REST skin: no rule that is not in clean() or in services."""
