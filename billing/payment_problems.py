"""Why nothing can be paid now, as answers.  Source: billing.md 8.4, 14.6."""

from typing import Any

from marketplace.lib.problems import Conflict, Problem


class PaymentsAreOff(Conflict):
    """The installation has no key of Stripe's."""

    title = "Payments are off"

    def __init__(self) -> None:
        super().__init__("Payments are not set up on this site. An operator can grant credit.")

    def body(self) -> dict[str, Any]:
        """With a code for programs."""
        return {**super().body(), "code": "payments_off"}


class PaymentPending(Conflict):
    """One off-session payment at a time."""

    title = "A payment is pending"

    def __init__(self) -> None:
        super().__init__("Another payment with the saved card is pending. Wait until it has ended.")


class NoCard(Problem):
    """There is no saved card to charge."""

    status = 402
    title = "Payment method required"

    def __init__(self) -> None:
        super().__init__("Save a card first.")

    def body(self) -> dict[str, Any]:
        """With the code of billing.md 8.4."""
        return {**super().body(), "code": "payment_method_required"}


class PaymentFailed(Problem):
    """The card was declined, or the payment refused."""

    status = 402
    title = "Payment failed"

    def body(self) -> dict[str, Any]:
        """With the code of billing.md 8.4."""
        return {**super().body(), "code": "payment_failed"}


class PaymentsUnavailable(Problem):
    """Stripe does not answer, or not to us."""

    status = 503
    title = "Payments are not available"

    def __init__(self) -> None:
        super().__init__("The payment service does not answer. Nothing was charged; try again in a few minutes.")
