"""celery - the Celery application and the beat schedule.

SUMMARY      `celery -A panel worker -Q publish,node.<name>` and `celery -A panel beat`
RULES        Celery is the doorbell, Postgres the truth: no result is kept, and what a lost task
             left undone is done by the next sweep
SOURCE       settings.py, prefix CELERY_
"""

from __future__ import annotations

import os

from celery import Celery

from panel.constants import SHIP_EVERY_S, SWEEP_EVERY_S

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "panel.settings")

app = Celery("waypost", namespace="CELERY")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.imports = ("panel.tasks",)
app.conf.beat_schedule = {
    "sweep": {
        "task": "panel.sweep",
        "schedule": SWEEP_EVERY_S,
        # A sweep that waited for longer than until the next one is of no use.
        "options": {"expires": SWEEP_EVERY_S},
    },
    "gather": {
        "task": "panel.gather",
        "schedule": SHIP_EVERY_S,
        "options": {"expires": SHIP_EVERY_S},
    },
}
