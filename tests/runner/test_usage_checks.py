"""An ended run without usage records is found."""

from django.utils import timezone

from billing import reconciliation
from runner.models import Prediction
from runner.states import Status
from tests.models_catalog.factories import VersionFactory
from tests.runner.factories import end, make_prediction


def test_inv_13_each_ended_run_has_its_usage(alice):
    version = VersionFactory.create(model__account=alice)
    end(make_prediction(version))
    end(make_prediction(version), Status.FAILED)
    make_prediction(version)
    assert reconciliation.run(["predictions"]) == {"predictions": []}
    forgotten = make_prediction(version)
    Prediction.objects.filter(pk=forgotten.pk).update(status=Status.SUCCEEDED, completed_at=timezone.now())
    [found] = reconciliation.run(["predictions"])["predictions"]
    assert found.subject == f"prediction/{forgotten.pk}"
