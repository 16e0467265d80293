"""formats - how dates and times look, by language (Django's FORMAT_MODULE_PATH)."""
