"""Which predictions may share instances, and which instances may run a prediction."""

from typing import NamedTuple


class Pool(NamedTuple):
    """A prediction runs on an instance of its own pool only.

    A deployment has instances of its own, apart from those that everybody's predictions of the same version share.
    """

    version_id: str
    hardware: str  # SKU
    deployment_id: int | None = None
    is_training: bool = False
