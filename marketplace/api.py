"""The root of `/v1`: every path of the API. None ends in a slash, none redirects.  Source: replicate-api.md 2.0."""

from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

from accounts.api import AccountSettings, CurrentAccount, WebhookSecret, WebhookSecretRotation
from accounts.idempotency import creates
from billing import api_invoices as invoices
from billing import api_payments as payments
from billing import api_prices as prices
from billing import api_receipts as receipts
from billing import api_usage as usage
from billing.api_appeals import Appeal
from billing.api_balance import Balance
from billing.api_limits import LimitDetail, LimitList
from marketplace.api_search import Search
from marketplace.lib.endpoints import CREATES, POLLS, endpoint, rated, resource
from marketplace.lib.problems import NotFound, problem_response
from marketplace.pages.api_reference import openapi_document
from models_catalog import api as catalog
from runner import api_batches as batches
from runner import api_builds as builds
from runner import api_events as events
from runner import api_prediction_detail as prediction
from runner import api_predictions as predictions
from runner import api_streams as streams
from runner import api_webhooks as webhooks
from runner.api_deployments import DeploymentDetail, DeploymentList, ReleaseList, Rollback
from runner.api_explanations import PredictionExplanation, TrainingExplanation
from runner.api_files import FileDetail, FileList, download
from runner.api_hardware import HardwareList
from runner.api_models import ModelDetail, ModelList, VersionDetail
from runner.api_prediction_list import PredictionList
from runner.api_quotes import Estimate, QuoteCreation, QuoteDetail
from runner.api_trainings import TrainingCreation, TrainingDetail, TrainingList, cancel_training

MODEL = "models/<str:owner>/<str:name>"
DEPLOYMENT = "deployments/<str:owner>/<str:name>"


async def unknown_path(request: HttpRequest) -> HttpResponse:
    """Whatever is not in the list."""
    return problem_response(NotFound())


urlpatterns = [
    path("account", resource(CurrentAccount)),
    path("account/settings", resource(AccountSettings)),
    path("batches", creates(batches.BatchList, rates=CREATES)),
    path("batches/<str:batch_id>", resource(batches.BatchDetail, rates=POLLS)),
    path("batches/<str:batch_id>/cancel", resource(batches.BatchCancel)),
    path("batches/<str:batch_id>/predictions", resource(batches.BatchPredictions)),
    path("billing/auto-reload", resource(payments.AutoReload)),
    path("billing/balance", resource(Balance)),
    path("billing/estimate", resource(Estimate)),
    path("billing/invoices", resource(invoices.InvoiceList)),
    path("billing/invoices/<str:invoice_id>.csv", endpoint(GET=invoices.read_csv)),
    path("billing/invoices/<str:invoice_id>.pdf", endpoint(GET=invoices.read_pdf)),
    path("billing/invoices/<str:invoice_id>", resource(invoices.InvoiceDetail)),
    path("billing/limits", resource(LimitList)),
    path("billing/limits/<str:limit_id>", resource(LimitDetail)),
    path("billing/payment-methods", resource(payments.PaymentMethodList)),
    path("billing/payment-methods/<str:card_id>", resource(payments.PaymentMethodDetail)),
    path("billing/payment-methods/<str:card_id>/default", resource(payments.PaymentMethodDefault)),
    path("billing/receipt-keys", endpoint(GET=receipts.list_receipt_keys, rates=None)),
    path("billing/rules", endpoint(GET=prices.list_rules, rates=None)),
    path("billing/receipts", endpoint(GET=receipts.export_receipts)),
    path("billing/setup", resource(payments.CardSetup)),
    path("billing/top-ups", resource(payments.TopUpList)),
    path("billing/top-ups/<str:top_up_id>", resource(payments.TopUpDetail)),
    path("billing/usage", endpoint(GET=usage.read_usage)),
    path("billing/usage/records", endpoint(GET=usage.list_usage_records)),
    path("collections", resource(catalog.CollectionList)),
    path("collections/<str:slug>", resource(catalog.CollectionDetail)),
    path("deployments", creates(DeploymentList)),
    path(f"{DEPLOYMENT}", resource(DeploymentDetail)),
    path(f"{DEPLOYMENT}/predictions", endpoint(POST=predictions.create_deployment_prediction, rates=CREATES)),
    path(f"{DEPLOYMENT}/releases", resource(ReleaseList)),
    path(f"{DEPLOYMENT}/rollback", creates(Rollback)),
    path("events", endpoint(GET=events.list_events)),
    path("files", creates(FileList)),
    path("files/stream/<str:token>", endpoint(GET=streams.stream_files, OPTIONS=streams.preflight, rates=None)),
    path("files/<str:file_id>", resource(FileDetail)),
    path("files/<str:file_id>/download", endpoint(GET=download, rates=None)),
    path("hardware", resource(HardwareList)),
    path("models", creates(ModelList)),
    path(f"{MODEL}", resource(ModelDetail)),
    path(f"{MODEL}/examples", resource(catalog.ModelExamples)),
    path(f"{MODEL}/predictions", endpoint(POST=predictions.create_official_prediction, rates=CREATES)),
    path(f"{MODEL}/readme", resource(catalog.ModelReadme)),
    path(f"{MODEL}/versions", creates(builds.VersionList)),
    path(f"{MODEL}/versions/<str:version_id>", resource(VersionDetail)),
    path(f"{MODEL}/versions/<str:version_id>/compare/<str:other_id>", resource(catalog.VersionComparison)),
    path(f"{MODEL}/versions/<str:version_id>/build", resource(builds.VersionBuild)),
    path(f"{MODEL}/versions/<str:version_id>/trainings", creates(TrainingCreation, rates=CREATES)),
    path("openapi.json", endpoint(GET=openapi_document, rates=None)),
    path("predictions", endpoint(GET=resource(PredictionList), POST=predictions.create_prediction, rates=CREATES)),
    path(
        "predictions/<str:prediction_id>",
        endpoint(GET=prediction.read_prediction, PATCH=prediction.change_prediction, rates=POLLS),
    ),
    path("predictions/<str:prediction_id>/cancel", endpoint(POST=predictions.cancel_prediction)),
    path("predictions/<str:prediction_id>/appeal", resource(Appeal)),
    path("predictions/<str:prediction_id>/rerun", endpoint(POST=prediction.rerun_prediction, rates=CREATES)),
    path("predictions/<str:prediction_id>/explain", resource(PredictionExplanation)),
    path("predictions/<str:prediction_id>/receipt", resource(receipts.RunReceiptDetail)),
    path("quotes", creates(QuoteCreation)),
    path("quotes/<str:quote_id>", resource(QuoteDetail)),
    path("prices", endpoint(GET=prices.list_prices, rates=None)),
    path("search", resource(Search)),
    path("streams/<str:token>", endpoint(GET=streams.stream_text, OPTIONS=streams.preflight, rates=None)),
    path("trainings", resource(TrainingList)),
    path("trainings/<str:training_id>", resource(TrainingDetail, rates=POLLS)),
    path("trainings/<str:training_id>/cancel", endpoint(POST=cancel_training)),
    path("trainings/<str:training_id>/explain", resource(TrainingExplanation)),
    path("webhooks/default/secret", resource(WebhookSecret)),
    path("webhooks/default/secret/rotate", resource(WebhookSecretRotation)),
    path("webhooks/deliveries", resource(webhooks.DeliveryList)),
    path("webhooks/deliveries/<str:delivery_id>", resource(webhooks.DeliveryDetail)),
    path("webhooks/deliveries/<str:delivery_id>/replay", resource(webhooks.DeliveryReplay)),
    path("webhooks/replay", resource(webhooks.RangeReplay)),
    re_path("", rated(unknown_path, {})),
]
