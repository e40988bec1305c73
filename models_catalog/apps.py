"""App configuration."""

from django.apps import AppConfig


class ModelsCatalogConfig(AppConfig):
    """Models, versions, search, publishing."""

    name = "models_catalog"
    verbose_name = "Catalog"
