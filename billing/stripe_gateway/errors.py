"""How calls to Stripe end when they don't succeed, and what of it may be written down.

Source: billing.md 14.2, 14.4.
"""

import re

_SECRETS = re.compile(r"\b(?:[srp]k_(?:live|test)|whsec)_\w+|\b\w+_secret_\w+|[^\s@\"'<>]+@[^\s@\"'<>]+\.[^\s@\"'<>]+")


def redacted(text: str) -> str:
    """The text without keys, client secrets and e-mail addresses."""
    return _SECRETS.sub("[redacted]", text)


class StripeFailure(Exception):
    """A call to Stripe that did not succeed."""


class NotConfigured(StripeFailure):
    """No key is set: payments are off."""


class Unanswered(StripeFailure):
    """No answer, or one that says nothing about the outcome: the same call with the same key may be repeated."""


class Refused(StripeFailure):
    """Stripe said no, for certain. code: Stripe's, such as `resource_missing`; status: of HTTP."""

    def __init__(self, message: str, *, code: str = "", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Declined(StripeFailure):
    """The card was not charged. message: Stripe's words for its holder."""

    def __init__(
        self, message: str, *, code: str, decline_code: str = "", advice_code: str = "", payment_intent_id: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.decline_code = decline_code
        self.advice_code = advice_code
        self.payment_intent_id = payment_intent_id


class WrongMode(StripeFailure):
    """A live object came to a test key, or the reverse."""


class BadSignature(StripeFailure):
    """A webhook that Stripe did not send, or not now."""
