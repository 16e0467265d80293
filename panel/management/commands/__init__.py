"""commands - one file per command of manage.py; thin skins of services."""
