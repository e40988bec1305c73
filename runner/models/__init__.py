"""Rows of the runner, one module per subject."""

from runner.models.batches import Batch
from runner.models.builds import Build
from runner.models.deployments import Deployment, Release
from runner.models.event_log import LoggedEvent
from runner.models.files import StoredFile
from runner.models.hosts import Hardware, Host, Instance
from runner.models.predictions import Prediction
from runner.models.webhooks import WebhookAttempt, WebhookDelivery

__all__ = [
    "Batch",
    "Build",
    "Deployment",
    "Hardware",
    "Host",
    "Instance",
    "LoggedEvent",
    "Prediction",
    "Release",
    "StoredFile",
    "WebhookAttempt",
    "WebhookDelivery",
]
