"""How much a run made, as the model reports it or its output shows it, or honestly in doubt."""

import pytest

from billing.models import Meter
from billing.units import Doubtful, delivered


@pytest.mark.parametrize(
    ("meter", "metrics", "files", "units"),
    [
        (Meter.OUTPUT_IMAGE, {"image_count": 3}, 1, 3),
        (Meter.OUTPUT_IMAGE, {"image_output_count": 2}, 0, 2),
        (Meter.OUTPUT_IMAGE, {}, 4, 4),
        (Meter.OUTPUT_VIDEO_TIME, {"video_output_duration_seconds": 5.04}, 1, 5_040),
        (Meter.OUTPUT_AUDIO_TIME, {"audio_output_duration_seconds": 2}, 1, 2_000),
        (Meter.INPUT_TOKENS, {"input_token_count": 8}, 0, 8),
        (Meter.OUTPUT_TOKENS, {"token_output_count": 9.0}, 0, 9),
        (Meter.REQUEST, {}, 0, 1),
    ],
)
def test_units_are_what_the_model_reports(meter, metrics, files, units):
    assert delivered(meter, metrics, files=files, has_succeeded=True) == units


@pytest.mark.parametrize("value", [-1, 1.5, True, "7", None, float("nan"), float("inf"), 10**13, [1]])
def test_a_report_that_cannot_be_is_doubtful(value):
    with pytest.raises(Doubtful):
        delivered(Meter.INPUT_TOKENS, {"input_token_count": value or "x"}, files=0, has_succeeded=True)


def test_a_success_must_say_what_it_made_and_a_failure_need_not():
    with pytest.raises(Doubtful, match="reported no output_token_count"):
        delivered(Meter.OUTPUT_TOKENS, {}, files=0, has_succeeded=True)
    assert delivered(Meter.OUTPUT_TOKENS, {}, files=0, has_succeeded=False) == 0
    assert delivered(Meter.REQUEST, {}, files=0, has_succeeded=False) == 0
