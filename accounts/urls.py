"""Pages of one's account, below /account/. Signing in is allauth's, below /accounts/."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("settings", views.account_settings, name="account_settings"),
    path("tokens", views.token_list, name="tokens"),
    path("tokens/<int:token_id>/revoke", views.revoke_token, name="revoke_token"),
]
