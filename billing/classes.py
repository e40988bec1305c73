"""The two words that decide what is charged: the billing class of what was used, and whose doing its end was."""

from django.db import models


class BillingClass(models.TextChoices):
    """Decided when a prediction or an instance is made, and never again.  Source: billing.md 4.1.

    A trained version has instances of its own, like any other, so that there is no cheaper class for it.
    """

    SHARED = "shared", "Processing time"
    UNIT = "unit", "What the model made"
    DEDICATED = "dedicated", "Online time of the instances"
    TRAINING = "training", "Processing time of the training"


class FaultClass(models.TextChoices):
    """Whose doing it was that a run ended as it did.  Source: billing.md 4.3."""

    NONE = "none"
    USER_INPUT = "user_input"
    MODEL_ERROR = "model_error"
    USER_CANCEL = "user_cancel"
    TIMEOUT = "timeout"
    POLICY = "policy"  # the operators ended it: the model was taken down, the account suspended
    HOST = "host"  # the machine that it ran on went away
    PLATFORM = "platform"  # all else of ours, and whatever is in doubt


def class_of_prediction(*, is_training: bool, is_public: bool, has_deployment: bool, is_by_units: bool) -> BillingClass:
    """The class of a new prediction, or training.

    is_public: everybody may run the version. is_by_units: its model has prices by what it makes.
    """
    if is_training:
        return BillingClass.TRAINING
    if has_deployment or not is_public:
        return BillingClass.DEDICATED
    return BillingClass.UNIT if is_by_units else BillingClass.SHARED


def class_of_instance(*, is_training: bool, is_private: bool, has_deployment: bool) -> BillingClass:
    """The class of a new instance. is_private: only predictions of its version's owner run on it."""
    if is_training:
        return BillingClass.TRAINING
    return BillingClass.DEDICATED if has_deployment or is_private else BillingClass.SHARED
