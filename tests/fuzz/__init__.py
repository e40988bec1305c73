"""Calls the API by its own OpenAPI document, with whatever fits it and whatever doesn't: `make fuzz`."""
