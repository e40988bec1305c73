"""Every address of the site, by room."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from billing import export_views
from billing.stripe_webhook import stripe_webhook
from marketplace import console, console_money
from marketplace.health import health
from marketplace.lib.endpoints import endpoint
from marketplace.pages import (
    api_reference,
    billing_limits,
    billing_overview,
    catalog,
    comparison,
    model,
    playground,
    pricing,
    reports,
)
from runner import deployment_views, publish_views
from runner import views as runner_views
from runner.api_files import output

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/live", admin.site.admin_view(console.live), name="console_live"),
    path("admin/money/revenue", admin.site.admin_view(console_money.revenue_page), name="console_revenue"),
    path("admin/money/checks", admin.site.admin_view(console_money.checks_page), name="console_checks"),
    path("admin/journal/<str:period>.csv", admin.site.admin_view(export_views.journal_csv), name="journal_csv"),
    path("admin/payouts.csv", admin.site.admin_view(export_views.payouts_csv), name="payouts_csv"),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("files/<str:file_id>/<str:signature>/<str:name>", endpoint(GET=output, rates=None), name="output_file"),
    path("health", health, name="health"),
    path("webhooks/stripe", csrf_exempt(endpoint(POST=stripe_webhook, rates=None)), name="stripe_webhook"),
    path("docs/api", api_reference.api_reference, name="api_reference"),
    path("v1/", include("marketplace.api")),
    path("account/", include("accounts.urls")),
    path("account/", include("billing.urls")),
    path("account/billing", billing_overview.billing_overview, name="billing"),  # named in answers of the API
    path("account/billing/limits", billing_limits.limit_list, name="billing_limits"),  # as above
    path("account/billing/limits/stopping", billing_limits.choose_stopping, name="billing_stopping"),
    path("account/billing/limits/<int:limit_id>/remove", billing_limits.remove_limit, name="remove_billing_limit"),
    path("account/deployments", deployment_views.deployment_list, name="deployments"),
    path("account/deployments/<str:name>", deployment_views.deployment_page, name="deployment"),
    path("account/deployments/<str:name>/delete", deployment_views.delete_deployment, name="delete_deployment"),
    path(
        "account/deployments/<str:name>/releases/<int:number>",
        deployment_views.roll_back,
        name="roll_back_deployment",
    ),
    path("", catalog.home, name="home"),
    path("pricing", pricing.pricing, name="pricing"),
    path("explore", catalog.explore, name="explore"),
    path("search", catalog.search, name="search"),
    path("collections/<slug:slug>", catalog.collection, name="collection"),
    path("publish", publish_views.publish, name="publish"),
    path("dashboard", runner_views.dashboard, name="dashboard"),
    path("p/<str:prediction_id>", runner_views.prediction_page, name="prediction"),
    path("p/<str:prediction_id>/json", runner_views.prediction_json, name="prediction_json"),
    path("web/predictions", playground.create_prediction, name="web_predictions"),
    path("web/predictions/check", playground.check, name="web_check"),
    path("web/predictions/<str:prediction_id>/again", playground.run_again, name="run_again"),
    path("web/predictions/<str:prediction_id>/cancel", runner_views.cancel_prediction, name="cancel_prediction"),
    path("web/files", playground.upload_file, name="web_files"),
    # Owners and their models go last: their names are whatever people chose.
    path(
        "<str:owner>/<str:name>/versions/<str:version_id>/compare/<str:other_id>",
        comparison.comparison,
        name="version_comparison",
    ),
    path("<str:owner>/<str:name>/versions/<str:version_id>", publish_views.version_page, name="version"),
    path("<str:owner>/<str:name>/deploy", deployment_views.new_deployment, name="new_deployment"),
    path("<str:owner>/<str:name>/report", reports.report_model, name="report_model"),
    path("<str:owner>/<str:name>/api", model.api_tab, name="model_api"),
    path("<str:owner>/<str:name>/examples", model.examples_tab, name="model_examples"),
    path("<str:owner>/<str:name>/readme", model.readme_tab, name="model_readme"),
    path("<str:owner>/<str:name>/versions", model.versions_tab, name="model_versions"),
    path("<str:owner>/<str:name>", model.playground_tab, name="model"),
    path("<str:owner>", catalog.profile, name="profile"),
]
