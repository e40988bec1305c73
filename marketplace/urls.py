"""Every address of the site, by room."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from marketplace import console
from marketplace.health import health
from marketplace.lib.endpoints import endpoint
from runner.api_files import output
from marketplace.pages import catalog, reports

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/live", admin.site.admin_view(console.live), name="console_live"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("files/<str:file_id>/<str:signature>/<str:name>", endpoint(GET=output), name="output_file"),
    path("health", health, name="health"),
    path("v1/", include("marketplace.api")),
    path("account/", include("accounts.urls")),
    path("account/", include("billing.urls")),
    path("", catalog.home, name="home"),
    path("explore", catalog.explore, name="explore"),
    path("search", catalog.search, name="search"),
    path("collections/<slug:slug>", catalog.collection, name="collection"),
    # Owners and their models go last: their names are whatever people chose.
    path("<str:owner>/<str:name>/report", reports.report_model, name="report_model"),
    path("<str:owner>", catalog.profile, name="profile"),
]
