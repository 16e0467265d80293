"""migrations - the schema, step by step; the change trigger is in 0001."""
