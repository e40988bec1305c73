"""Which predictions may share instances, and which instances may run a prediction."""

from typing import NamedTuple

from django.db.models import Q

from billing.classes import BillingClass


class Pool(NamedTuple):
    """A prediction runs on an instance of its own pool only.

    A deployment has instances of its own, apart from those that everybody's predictions of the same version share; so
    has the owner of a version that nobody else may run. Who has them pays for the time they are online.
    """

    version_id: str
    hardware: str  # SKU
    deployment_id: int | None = None
    is_training: bool = False
    is_private: bool = False  # the owner's predictions of the version alone, outside of deployments

    @property
    def is_dedicated(self) -> bool:
        """Somebody pays for the time that its instances are online."""
        return not self.is_training and (self.is_private or self.deployment_id is not None)


# Rows of instances or predictions whose pool only the version's owner uses.
PRIVATE = Q(billing_class=BillingClass.DEDICATED, deployment_name="")


def is_private(billing_class: str, deployment_name: str) -> bool:
    """`PRIVATE`, of what one row says."""
    return billing_class == BillingClass.DEDICATED and not deployment_name
