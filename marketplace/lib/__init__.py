"""What every room stands on. Imports no room and has no models."""
