"""After a restart: find what still runs on the host, take it over, and leave the rest to the sweeps.

Three lists are compared: rows that say they run, processes that run, predictions that say they are processing.
Source: design.md, "Instances and hosts"; docker-lab.md 5.
"""

from typing import TYPE_CHECKING

import structlog

from billing.instance_time import End
from marketplace.lib import dbthreads
from runner import instances
from runner.backends.base import Handle
from runner.coglet import CogletError
from runner.engine.instance_life import live_from_row
from runner.models import Instance
from runner.states import InstanceState

if TYPE_CHECKING:
    from runner.engine.loop import Engine

log = structlog.get_logger(__name__)


async def take_over(engine: "Engine") -> None:
    """Adopt healthy instances with their predictions; end rows without a process and processes without a row."""
    await engine.life.load_hardware()
    running = {handle.instance_id: handle for handle in await engine.backend.list_running()}
    for row in await dbthreads.run(instances.live_on, engine.host.pk):
        handle = running.pop(row.pk, None)
        if handle is None or not await _adopt(engine, row, handle):
            if handle:
                await engine.backend.stop(handle, grace_seconds=0.0)
            await dbthreads.run(instances.mark_ended, row.pk, End.LOST, error="lost while the runner was away")
    for handle in running.values():
        log.warning("orphan_stopped", instance=handle.instance_id)
        await engine.backend.stop(handle, grace_seconds=0.0)


async def _adopt(engine: "Engine", row: Instance, handle: Handle) -> bool:
    """True if the instance was up and is looked after from now on."""
    if row.ready_at is None or (row.deployment_name and row.deployment_id is None):
        return False  # its set-up was under way, or its deployment is gone: nobody depends on it
    instance = live_from_row(row)
    coglet = instance.connect(handle)
    try:
        health = await coglet.health()
    except CogletError:
        health = None
    if health is None or not health.is_set_up:
        await coglet.close()
        return False
    instance.state = InstanceState.READY
    engine.life.adopt(instance)
    for prediction in await dbthreads.run(instances.running_predictions, row.pk):
        engine.drive(prediction, instance, attached=True)
    if row.is_training and not instance.pumps:  # it may have trained already, which nobody knows any more
        engine.life.stop(instance, "nothing trains on it")
    log.info("instance_adopted", instance=row.pk, predictions=len(instance.pumps))
    return True
