"""What beat sends is there to be run."""

from django.conf import settings

from marketplace.celery import app


def test_every_task_of_the_schedule_exists():
    app.loader.import_default_modules()
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled <= set(app.tasks)
