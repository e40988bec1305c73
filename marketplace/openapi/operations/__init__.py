"""What can be called: one `Operation` for each method of each path of `marketplace.api`, a module per subject.

Source: replicate-api.md 2.
"""

from marketplace.openapi.operation import Operation
from marketplace.openapi.operations import (
    account,
    batches,
    billing,
    catalog,
    deployments,
    events,
    files,
    invoices,
    models,
    payments,
    predictions,
    prices,
    quotes,
    receipts,
    trainings,
)

OPERATIONS: tuple[Operation, ...] = (
    *predictions.OPERATIONS,
    *batches.OPERATIONS,
    *trainings.OPERATIONS,
    *models.OPERATIONS,
    *deployments.OPERATIONS,
    *catalog.OPERATIONS,
    *files.OPERATIONS,
    *events.OPERATIONS,
    *prices.OPERATIONS,
    *quotes.OPERATIONS,
    *receipts.OPERATIONS,
    *billing.OPERATIONS,
    *payments.OPERATIONS,
    *invoices.OPERATIONS,
    *account.OPERATIONS,
)
SEARCH = models.SEARCH
