"""Hosts, instances, predictions, builds, files, webhooks and event streams."""
