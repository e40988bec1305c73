"""The OpenAPI document of `/v1`: written by hand as data, because half of the endpoints are plain async views.

`operations` says what can be called, `schemas` what travels. Tests hold every path of `marketplace.api` against it, and
the document against the OpenAPI schema.
"""

from marketplace.openapi.document import document

__all__ = ["document"]
