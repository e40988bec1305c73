"""How an instance (one running coglet server) comes to be and ends: one small interface, several ways."""

from django.conf import settings

from runner.backends.base import Backend
from runner.backends.process import ProcessBackend


def make_backend() -> Backend:
    """The backend that the settings choose."""
    sandboxed = {"auto": None, "require": True, "off": False}[settings.SANDBOX]
    return ProcessBackend(settings.INSTANCES_DIR, sandboxed=sandboxed)
