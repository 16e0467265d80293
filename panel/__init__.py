"""panel - the browser admin, the REST API and the publisher of generations (Django, Celery)."""
