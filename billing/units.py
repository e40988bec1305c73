"""How much a run made, in units of the meters: from the metrics that the model reports, or its output's files.

Only models that operators have priced by units are charged by what they report.  Source: billing.md 2.2; cog-runtime.md
2.5.
"""

import math
from collections.abc import Mapping
from typing import Any

from billing.models import Meter

MOST_UNITS = 10**12  # of one run; what is above is a mistake of the model's
METRICS: Mapping[str, tuple[str, ...]] = {  # by which names models report it; the first that is there counts
    Meter.OUTPUT_IMAGE: ("image_count", "image_output_count"),
    Meter.OUTPUT_VIDEO_TIME: ("video_output_duration_seconds", "video_duration_seconds"),
    Meter.OUTPUT_AUDIO_TIME: ("audio_output_duration_seconds", "audio_duration_seconds"),
    Meter.INPUT_TOKENS: ("input_token_count", "token_input_count"),
    Meter.OUTPUT_TOKENS: ("output_token_count", "token_output_count"),
}
_IN_MILLISECONDS = frozenset({Meter.OUTPUT_VIDEO_TIME, Meter.OUTPUT_AUDIO_TIME})


class Doubtful(ValueError):
    """What the model reports can't be: it is not charged until somebody has looked at it."""


def delivered(meter: str, metrics: Mapping[str, Any], *, files: int, has_succeeded: bool) -> int:
    """Units that a run made, of one meter. files: how many its output has. Raises Doubtful.

    A run that did not succeed and reports nothing made nothing; one that did must say, but for images.
    """
    if meter == Meter.REQUEST:
        return int(has_succeeded)
    value = next((metrics[name] for name in METRICS[meter] if name in metrics), None)
    if value is None:
        if meter == Meter.OUTPUT_IMAGE:
            return files
        if has_succeeded:
            raise Doubtful(f"the model reported no {METRICS[meter][0]}")
        return 0
    return _in_units(meter, value)


def _in_units(meter: str, value: Any) -> int:
    name = METRICS[meter][0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise Doubtful(f"the model reported a {name} of {value!r:.50}")
    amount = round(value * 1000) if meter in _IN_MILLISECONDS else int(value)
    if amount > MOST_UNITS or (meter not in _IN_MILLISECONDS and amount != value):
        raise Doubtful(f"the model reported a {name} of {value!r:.50}")
    return amount
