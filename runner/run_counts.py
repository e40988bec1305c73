"""Tell the catalog how often models were run: counted anew, for those that ran lately."""

import datetime

from django.db.models import Count, Exists, OuterRef
from django.utils import timezone

from models_catalog import popularity
from models_catalog.models import Model
from runner.models import Prediction

_LATELY = datetime.timedelta(minutes=15)  # many times the task's interval: a count that was missed is made up for


def refresh() -> None:
    """Recount; running it twice changes nothing."""
    lately = Prediction.objects.filter(model=OuterRef("pk"), created_at__gte=timezone.now() - _LATELY)
    used = Model.objects.filter(Exists(lately)).values_list("pk", flat=True)
    runs = Prediction.objects.filter(model__in=list(used), kind=Prediction.Kind.PREDICTION)
    rows = runs.values("model").annotate(runs=Count("pk")).order_by()
    popularity.set_run_counts({row["model"]: row["runs"] for row in rows})
