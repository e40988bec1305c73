"""How the console's lists show money and states."""

from typing import Any

from unfold.decorators import display

from billing.money import NANOS_PER_CENT, in_words

STATE_COLOURS = {
    "active": "success", "succeeded": "success", "paid": "success", "done": "success", "accepted": "success",
    "settled": "success", "won": "success",
    "restricted": "warning", "requires_action": "warning", "unknown": "warning", "open": "info", "sent": "info",
    "created": "info", "received": "info",
    "suspended": "danger", "closed": "danger", "failed": "danger", "past_due": "danger", "uncollectible": "danger",
    "dead": "danger", "lost": "danger",
}  # fmt: skip


def money_column(name: str, title: str) -> Any:
    """A list's column of an attribute in nano-dollars, as dollars. For a class's body."""

    @display(description=title, ordering=name)
    def column(admin: Any, row: Any) -> str:
        amount = getattr(row, name)
        return "" if amount is None else in_words(amount)

    return column


def cents_column(name: str, title: str) -> Any:
    """As `money_column`, of cents."""

    @display(description=title, ordering=name)
    def column(admin: Any, row: Any) -> str:
        return in_words(getattr(row, name) * NANOS_PER_CENT)

    return column


def state_column(name: str, title: str) -> Any:
    """A list's column of a state, coloured."""

    @display(description=title, ordering=name, label=STATE_COLOURS)
    def column(admin: Any, row: Any) -> str:
        return str(getattr(row, name))

    return column
