"""Prices and usage records."""
