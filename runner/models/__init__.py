"""Rows of the runner, one module per subject."""

from runner.models.builds import Build
from runner.models.files import StoredFile
from runner.models.hosts import Hardware, Host, Instance
from runner.models.predictions import Prediction
from runner.models.webhooks import WebhookDelivery

__all__ = ["Build", "Hardware", "Host", "Instance", "Prediction", "StoredFile", "WebhookDelivery"]
