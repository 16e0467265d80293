"""tasks - Celery's doors; each calls one service."""
