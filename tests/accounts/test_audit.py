"""The audit log is append-only, in the database itself."""

import pytest
from django.db import ProgrammingError, connection, transaction

from accounts import audit
from accounts.models import AuditEntry
from tests.plugins.people import Person


@pytest.mark.parametrize(
    "statement",
    ["UPDATE accounts_auditentry SET reason = 'nothing'", "DELETE FROM accounts_auditentry"],
    ids=["update", "delete"],
)
def test_entries_cannot_be_changed_or_deleted(olga: Person, statement: str) -> None:
    audit.record(olga.user, "hide_model", "model/alice/echo", reason="illegal")
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.get().reason == "illegal"


def test_the_orm_is_refused_too(olga: Person) -> None:
    entry = audit.record(olga.user, "hide_model", "model/alice/echo")
    entry.reason = "nothing"
    with pytest.raises(ProgrammingError, match="append-only"), transaction.atomic():
        entry.save()
