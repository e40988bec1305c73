"""The site: settings, wirings, pages that join the apps, and the root of the API."""

from marketplace.celery import app as celery_app

__all__ = ["celery_app"]
