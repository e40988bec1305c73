"""How many instances a version should have. Pure: facts in, number out."""

import math
from dataclasses import dataclass

PATIENCE_SECONDS = 2.0  # a queue that moves within this is served by what there is


@dataclass(frozen=True, slots=True)
class Demand:
    """Facts about one version on this host, all at one moment."""

    queued: int
    running: int
    instances: int  # not ended, starting ones included
    starting: int
    slots: int  # of one instance
    oldest_wait_seconds: float = 0.0
    idle_seconds: float = 0.0  # since anything ran or waited
    idle_stop_seconds: float = 300.0
    setup_seconds: float = 0.0  # how long the last set-up took
    minimum: int = 0
    maximum: int = 4


def wanted_instances(demand: Demand) -> int:
    """At least one while there is work, one more when the queue is too slow, the minimum after idling.

    Another instance pays only if the queue would outlast its set-up, so patience grows with the set-up time.
    """
    if demand.queued + demand.running == 0:
        is_idle = demand.idle_seconds >= demand.idle_stop_seconds
        return demand.minimum if is_idle else max(demand.minimum, demand.instances)
    useful = math.ceil((demand.queued + demand.running) / demand.slots)
    wanted = max(1, demand.instances)
    patience = max(PATIENCE_SECONDS, demand.setup_seconds / 2)
    if demand.queued and not demand.starting and demand.oldest_wait_seconds > patience:
        wanted += 1
    return max(demand.minimum, min(wanted, useful, demand.maximum))
