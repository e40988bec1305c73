"""Pages about money, below /account/."""

from django.urls import path

from billing import views

urlpatterns = [
    path("usage", views.usage, name="usage"),
    path("billing", views.billing, name="billing"),  # named in answers of the API
]
