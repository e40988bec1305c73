"""Spend limits as pages show them: under their names, with what is used and when they start anew."""

from collections.abc import Mapping
from dataclasses import dataclass

from billing import limits
from billing.limits import LimitState
from billing.models import LimitScope, SpendLimit
from billing.money import in_words

ACCOUNT = str(LimitScope.ACCOUNT)


@dataclass(frozen=True, slots=True)
class ShownLimit:
    """percent: used, at most 100, for a bar."""

    state: LimitState
    name: str
    percent: int

    @property
    def subject(self) -> str:
        """As the form's choices have it."""
        return subject_of(self.state.limit)

    @property
    def sentence(self) -> str:
        """Of one that is reached: which it is, and when it ends by itself."""
        limit, resets_at = self.state.limit, self.state.resets_at
        when = f"{resets_at:%H:%M}" if limit.period == "hour" else f"{resets_at:%-d %B}"
        return f"The limit of {in_words(limit.limit_nanos)} a {limit.period} for {self.name} starts anew {when} UTC."


def subject_of(limit: SpendLimit) -> str:
    """What a limit is on, as the form's choices have it: `account`, `token:7`."""
    return f"{limit.scope}:{limit.scope_key}" if limit.scope_key else str(limit.scope)


def scope_of(subject: str) -> tuple[str, str]:
    """The scope and its key."""
    scope, _, key = subject.partition(":")
    return scope, key


def shown(account_id: int, names: Mapping[str, str]) -> list[ShownLimit]:
    """All of an account's. names: of what limits may be on, by `subject_of`; what is gone has its key's."""
    found = [] if not SpendLimit.objects.filter(account_id=account_id).exists() else limits.list_limits(account_id)
    return [ShownLimit(one, _name(one.limit, names), _percent(one)) for one in found]


def reached(account_id: int) -> list[ShownLimit]:
    """Those that refuse new work now."""
    return [one for one in shown(account_id, {}) if one.state.is_reached]


def _name(limit: SpendLimit, names: Mapping[str, str]) -> str:
    subject = subject_of(limit)
    return "this account" if subject == ACCOUNT else names.get(subject, f"{limit.scope} {limit.scope_key}")


def _percent(state: LimitState) -> int:
    allowed = state.limit.limit_nanos
    return min(100, state.used_nanos * 100 // allowed) if allowed else 100
