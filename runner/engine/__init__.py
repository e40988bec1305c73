"""The runner process: claims predictions, drives instances, settles results."""
