"""Measurements: `python -m tests.bench` compares the platform with coglet itself and other servers."""
