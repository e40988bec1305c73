"""Every address of the site, by room."""

from allauth.account.decorators import secure_admin_login
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from marketplace.pages import catalog, reports

# Operators sign in like everybody: one form, one rate limit.
admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]

from marketplace.health import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("health", health, name="health"),
    path("v1/", include("marketplace.api")),
]
