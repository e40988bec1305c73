"""Documents of runs with what they cost: an extension of the wire contract, where runs are read.

Answers to creations and webhooks have none: at the end of a run its cost would be one more query on the hot path.
"""

from collections.abc import Sequence
from typing import Any

from billing import run_bills
from runner.documents import document_of
from runner.models import Prediction


def billed_documents(runs: Sequence[Prediction]) -> list[dict[str, Any]]:
    """The documents, in order; those of ended runs with `billing`. One query for all of them."""
    bills = run_bills.bills_of([_subject(run) for run in runs if run.is_terminal])
    documents = []
    for run in runs:
        document = document_of(run)
        if bill := bills.get(_subject(run)):
            document["billing"] = bill
        documents.append(document)
    return documents


def billed_document(run: Prediction) -> dict[str, Any]:
    """The document of one run."""
    [document] = billed_documents([run])
    return document


def _subject(run: Prediction) -> str:
    return f"prediction/{run.pk}"
