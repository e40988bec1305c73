"""Pages about money, below /account/. The first of them, /account/billing, joins rooms and is the site's."""

from django.urls import path

from billing import credit_views, document_views, export_views, invoice_views, run_views, views

urlpatterns = [
    path("usage", views.usage, name="usage"),
    path("billing/records", views.records, name="billing_records"),
    path("billing/runs/<str:prediction_id>/receipt", run_views.receipt, name="run_receipt"),
    path("billing/runs/<str:prediction_id>/appeal", run_views.appeal, name="appeal_run"),
    path("billing/credit", credit_views.credit, name="billing_credit"),
    path("billing/credit/reload", credit_views.reload, name="billing_reload"),
    path("billing/credit/cards", credit_views.new_card, name="billing_new_card"),
    path("billing/credit/cards/<str:card_id>/default", credit_views.default_card, name="billing_default_card"),
    path("billing/credit/cards/<str:card_id>/remove", credit_views.remove_card, name="billing_remove_card"),
    path("billing/invoices", invoice_views.invoice_list, name="billing_invoices"),
    path("billing/invoices/<str:invoice_id>", invoice_views.invoice_page, name="billing_invoice"),
    path("billing/refunds", invoice_views.refunds, name="billing_refunds"),
    path("invoices/<str:number>.pdf", document_views.invoice_pdf, name="invoice_pdf"),
    path("invoices/<str:number>.csv", export_views.invoice_csv, name="invoice_csv"),
    path("invoices/<str:number>", document_views.invoice_page, name="invoice"),
    path("receipts/<str:number>.pdf", document_views.receipt_pdf, name="receipt_pdf"),
    path("receipts/<str:number>", document_views.receipt_page, name="receipt"),
    path("usage/<str:period>.csv", export_views.usage_csv, name="usage_csv"),
    path("earnings/<str:period>.csv", export_views.earnings_csv, name="earnings_csv"),
]
