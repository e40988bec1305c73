"""One prediction on one instance: hand it over, pass on what comes, write how it ends.

Everything that can happen to it (coglet's events, a cancel, the loss of the instance) arrives in one queue, so there is
one order of events. The terminal state is written before the last event is published; whoever ended the prediction
first wins.
"""

import asyncio
import contextlib
import math
import time
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from marketplace.lib import dbthreads
from models_catalog import schemas
from runner import lifecycle, streams, trainings
from runner.cog_events import Broken, CogEvent, Completed, clean_error, is_lost_worker, settle_cancel
from runner.coglet import AtCapacity, CogletError, InputRefused, NotReady, NotRunning, Unreachable
from runner.engine.inputs import InputUnavailable, input_for_model
from runner.engine.live import LiveInstance
from runner.engine.patience import time_limit_seconds, until_stored
from runner.engine.shown import Shown
from runner.events import Event
from runner.lifecycle import Outcome
from runner.models import Prediction
from runner.progress import NewLogs, NewOutput, Progress
from runner.secret_inputs import unseal
from runner.states import FaultClass, Status

if TYPE_CHECKING:
    from runner.engine.loop import Engine

log = structlog.get_logger(__name__)

_GATHER_SECONDS = 0.02  # after the first chunk, chunks are gathered for this long
_SAVE_SECONDS = 0.5
_CANCEL_AGAIN_SECONDS = 0.3  # early cancels get lost in coglet: cog-runtime.md 4.5
_SLOT_WAIT_SECONDS = 1.0
_CLOCK_SLACK_SECONDS = 2.0  # billing.md 4.2
_MOST_SECONDS = 1e8

_CANCEL, _ABANDON, _GONE = "cancel", "abandon", "gone"


class Pump:
    """Drives one claimed prediction to its end. `attached`: it was started by an earlier runner and taken over."""

    def __init__(
        self, engine: "Engine", prediction: Prediction, instance: LiveInstance, *, attached: bool = False
    ) -> None:
        self.engine = engine
        self.prediction = prediction
        self.instance = instance
        self.attached = attached
        schema = prediction.version.openapi_schema
        self._schema = schema
        self._secrets = unseal(prediction.sealed_secrets)
        self._progress = Progress(has_items=schemas.is_list(schema, prediction.output_component))
        self.shown = Shown(
            store_file=self._store_file,
            secret_values=schemas.secret_values(schema, self._secrets, prediction.input_component),
            max_log_characters=settings.MAX_LOG_CHARACTERS,
        )
        self._inbox: asyncio.Queue[CogEvent | str] = asyncio.Queue(maxsize=10_000)
        self._signals: set[str] = set()
        self._unpublished: list[Event] = []
        self._published_at = 0.0
        self._is_dirty = False
        self._saved_at = time.monotonic()
        self._started = time.monotonic()
        self._doubt = ""  # why the time that was told is not believed
        self._is_stopping = False  # the row has ended, the model has not yet
        self._stop_by = 0.0
        self._lost_by: float | None = None  # attached, and coglet does not run it: wait for its webhook until then
        self._handed_over = asyncio.Event()  # coglet has it, or had
        self._left = asyncio.Event()  # `run` is over
        self._has_slot = False
        self.ended = False

    # --- What others tell it -----------------------------------------------------------------------------------

    async def take_event(self, event: CogEvent) -> None:
        """An event of coglet's webhook. Waits while the inbox is full, and for an end until it is stored.

        coglet repeats an end that was not acknowledged, so that it survives this process.
        """
        await self._inbox.put(event)
        if isinstance(event, Completed):
            await self._left.wait()
            if not self.ended:
                raise RuntimeError("The end could not be stored")

    def cancel(self) -> None:
        """Somebody asked for a stop: end it as canceled with what there is, then stop the model."""
        self._signal(_CANCEL)

    def abandon(self) -> None:
        """The row was ended by somebody else: only stop the model."""
        self._signal(_ABANDON)

    def instance_gone(self) -> None:
        """The instance died."""
        self._signal(_GONE)

    def _signal(self, signal: str) -> None:
        if signal not in self._signals:
            self._signals.add(signal)
            with contextlib.suppress(asyncio.QueueFull):  # then the loop sees `_signals` at its next turn
                self._inbox.put_nowait(signal)

    # --- Its way -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From the claim to the end. Leaves the instance in every case."""
        try:
            self._has_slot = await self.instance.take_slot(_SLOT_WAIT_SECONDS)
            if not self._has_slot and not self.attached and not self._signals:
                await dbthreads.run(lifecycle.give_back, self.prediction.pk, self.prediction.claim)
                return
            self._started = time.monotonic()
            async with asyncio.TaskGroup() as tasks:
                follower = tasks.create_task(self._follow()) if self._follows_stream else None
                try:
                    await self._drive()
                finally:
                    if follower:
                        follower.cancel()
        finally:
            self._leave()
            self._left.set()
            self.engine.callbacks.forget(self.instance.callback_token, self.prediction.pk)
            self.engine.pump_finished(self)
            if self.prediction.is_training:
                self.engine.life.stop(self.instance, "its training is over")

    def _leave(self) -> None:
        """The model is done with it: the slot is free, whatever is left to write."""
        if self._has_slot:
            self._has_slot = False
            self.instance.release_slot()
        self.instance.leave(self)
        self.engine.room_made()

    async def _drive(self) -> None:
        self.engine.callbacks.expect(self.instance.callback_token, self.prediction.pk, self.take_event)
        if self.attached:
            self._handed_over.set()
            await self._look_after_takeover()
        else:
            self.shown.resume([], self.prediction.logs)  # an earlier try's logs stay
            await asyncio.gather(self._publish([Event("status", status="processing")]), self._hand_over())
        while not self._is_finished:
            try:
                async with asyncio.timeout(self._next_timer()):
                    item = await self._inbox.get()
            except TimeoutError:
                pass
            else:
                await self._take(item)
                while not self._inbox.empty() and not self._is_finished:
                    await self._take(self._inbox.get_nowait())
            await self._tick()

    @property
    def _is_finished(self) -> bool:
        return self.ended and not self._is_stopping

    @property
    def _follows_stream(self) -> bool:
        return schemas.is_streaming(self._schema) and not self.prediction.is_training

    async def _hand_over(self) -> None:
        if self._signals:
            return
        assert self.instance.coglet is not None
        try:
            given = await input_for_model(self.prediction, self._schema, self._secrets)
            events = ["completed"] if self._follows_stream else ["output", "logs", "completed"]
            if not self.prediction.is_streamed and not self._follows_stream:
                events.remove("output")
            await self.instance.coglet.start(
                self.prediction.pk,
                given,
                webhook_url=self.engine.callbacks.url(self.instance.callback_token, base=self.instance.webhook_base),
                events=events,
                traceparent=self.prediction.traceparent or None,
            )
            self._handed_over.set()
        except InputUnavailable as error:
            await self._end(Status.FAILED, error=str(error), predict_us=0, fault_class=FaultClass.USER_INPUT)
        except InputRefused as error:
            await self._end(Status.FAILED, error=str(error), predict_us=0, fault_class=FaultClass.USER_INPUT)
        except (AtCapacity, NotReady, Unreachable) as error:
            # Our count says there is a slot: a worker that died refuses for ever.  Source: cog-runtime.md 4.12.
            self.instance.mark_gone(f"refused a prediction: {type(error).__name__} {error}")

    async def _follow(self) -> None:
        """Attach the stream. Whatever goes wrong, the completed webhook tells the rest."""
        assert self.instance.coglet is not None
        await self._handed_over.wait()
        with contextlib.suppress(CogletError):
            async for event in self.instance.coglet.follow(self.prediction.pk):
                await self._inbox.put(event)

    async def _look_after_takeover(self) -> None:
        self.shown.resume(self.prediction.output if self.prediction.is_streamed else [], self.prediction.logs)
        assert self.instance.coglet is not None
        try:
            await self.instance.coglet.snapshot(self.prediction.pk)
        except NotRunning:
            # It ended while nobody listened; coglet repeats the webhook with growing pauses.
            self._lost_by = time.monotonic() + self.engine.takeover_patience_seconds
        except CogletError as error:
            log.warning("takeover_unclear", prediction=self.prediction.pk, error=str(error))

    async def _take(self, item: CogEvent | str) -> None:
        if isinstance(item, str):
            return  # `_tick` looks at `_signals`
        if isinstance(item, Broken):
            log.info("stream_broken", prediction=self.prediction.pk, reason=item.reason)
            return
        for delta in self._progress.feed(item):
            match delta:
                case NewOutput() if self.prediction.is_streamed and not self.ended:
                    await self._queue(await self.shown.add_items(delta.at, delta.items))
                case NewLogs() if not self.ended:
                    await self._take_logs(delta)
                case Completed():
                    await self._completed(delta)

    async def _take_logs(self, delta: NewLogs) -> None:
        if self.attached:  # a replay from the start: the row's part is known
            known = len(self.shown.logs)
            if delta.at + len(delta.text) <= known:
                return
            delta = NewLogs(max(delta.at, known), delta.text[max(0, known - delta.at) :])
        await self._queue(self.shown.add_logs(delta.text))

    async def _completed(self, raw: Completed) -> None:
        self._is_stopping = False
        if self.ended:
            return
        if is_lost_worker(raw):
            self.instance.mark_gone("the model's process died")
            return
        completed = settle_cancel(raw, cancel_requested=_CANCEL in self._signals)
        seconds, self._doubt = self._predict_seconds(completed)
        self.instance.note_duration(seconds)
        if not self.prediction.is_training:  # whose instance stays until all is stored: nobody else may have it
            self._leave()
        metrics = {name: value for name, value in completed.metrics.items() if name != "predict_time"}
        predict_us = round(seconds * 1_000_000)
        if completed.status == "failed":
            error = clean_error(completed.error or "The model failed without saying why")
            fault = FaultClass.USER_INPUT if error.startswith("Input validation error") else FaultClass.MODEL_ERROR
            await self._end(Status.FAILED, error=error, metrics=metrics, predict_us=predict_us, fault_class=fault)
        elif completed.status == "canceled":
            await self._end(Status.CANCELED, metrics=metrics, predict_us=predict_us, fault_class=FaultClass.USER_CANCEL)
        else:
            await self._succeeded(completed, metrics, predict_us)

    async def _succeeded(self, completed: Completed, metrics: dict[str, Any], predict_us: int) -> None:
        kind = schemas.output_kind(self._schema, self.prediction.output_component)
        if completed.output is None and kind == schemas.OutputKind.FILE:
            error = "The model returned a file that does not exist"
            await self._end(
                Status.FAILED, error=error, metrics=metrics, predict_us=predict_us, fault_class=FaultClass.MODEL_ERROR
            )
            return
        output = self.shown.items if self.prediction.is_streamed else await self.shown.final(completed.output)
        if self.prediction.is_training:
            output = await dbthreads.run(trainings.keep_result, self.prediction, output)
        await self._end(Status.SUCCEEDED, output=output, metrics=metrics, predict_us=predict_us)

    def _predict_seconds(self, completed: Completed) -> tuple[float, str]:
        """The instance's own predict time, and why it is not believed, by this runner's clock, which counts then.

        After a takeover this runner has no clock for it; the database has.  Source: billing.md 4.2.
        """
        here = time.monotonic() - self._started
        told = completed.metrics.get("predict_time")
        if told is None:
            return here, ""
        most = math.inf if self.attached else here + _CLOCK_SLACK_SECONDS
        if isinstance(told, int | float) and 0 <= told <= min(most, _MOST_SECONDS):
            return float(told), ""
        return here, f"the instance told a processing time of {told!r:.50} s, and its runner counted {here:.6f} s"

    # --- Clocks and signals -----------------------------------------------------------------------------------------

    def _next_timer(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        due = now + 1.0
        if self._unpublished:
            due = min(due, self._published_at + _GATHER_SECONDS)
        if self._is_dirty:
            due = min(due, self._saved_at + _SAVE_SECONDS)
        if self._is_stopping:
            due = min(due, now + _CANCEL_AGAIN_SECONDS)
        return max(0.0, due - now)

    async def _tick(self) -> None:
        if _GONE in self._signals:
            await self._settle_loss()
            return
        if _ABANDON in self._signals and not self.ended:
            self.ended = True
            self._begin_stop()
        if _CANCEL in self._signals and not self.ended:
            await self._end_early(Status.CANCELED, FaultClass.USER_CANCEL)
        if not self.ended:
            await self._look_at_the_clock()
        now = time.monotonic()
        if self._unpublished and now - self._published_at >= _GATHER_SECONDS:
            await self._flush()
        if self._is_dirty and now - self._saved_at >= _SAVE_SECONDS and not self.ended:
            await self._save()
        if self._is_stopping:
            await self._stop_model(now)

    async def _look_at_the_clock(self) -> None:
        if self.prediction.deadline and timezone.now() >= self.prediction.deadline:
            await self._end_early(Status.CANCELED, FaultClass.TIMEOUT)
        elif (limit := time_limit_seconds(self.instance.pool)) and time.monotonic() - self._started > limit:
            error = f"{self.prediction.get_kind_display()} timed out"
            await self._end_early(Status.FAILED, FaultClass.TIMEOUT, error=error)
        elif self._lost_by is not None and time.monotonic() > self._lost_by:
            await self._settle_loss()

    async def _end_early(self, status: Status, fault_class: FaultClass, *, error: str | None = None) -> None:
        predict_us = round((time.monotonic() - self._started) * 1_000_000)
        self._begin_stop()
        await self._end(status, error=error, predict_us=predict_us, fault_class=fault_class)

    def _begin_stop(self) -> None:
        self._is_stopping = self._handed_over.is_set()
        self._stop_by = time.monotonic() + settings.CANCEL_GRACE_SECONDS

    async def _stop_model(self, now: float) -> None:
        """Ask again until it stops; a model that won't is killed with its instance.  Source: checklist 43."""
        assert self.instance.coglet is not None
        try:
            if not await self.instance.coglet.cancel(self.prediction.pk):
                self._is_stopping = False  # it no longer runs
        except CogletError:
            self.instance.mark_gone("did not answer a cancel")
        if self._is_stopping and now > self._stop_by:
            self._is_stopping = False
            self.instance.mark_gone("did not stop a canceled prediction in time")

    async def _settle_loss(self) -> None:
        """The instance died under it: again if nobody saw output, else it failed; never charged."""
        self._is_stopping = False
        if self.ended:
            return
        self.ended = True
        if self._may_have_shown_output:
            self.ended = False
            await self._end(
                Status.FAILED,
                error=lifecycle.loss_in_words(self.instance.gone_reason),
                predict_us=0,
                fault_class=FaultClass.PLATFORM,
            )
            return
        ended = await until_stored(
            lambda: dbthreads.run(
                lifecycle.requeue,
                self.prediction.pk,
                self.prediction.claim,
                logs=self.shown.logs,
                reason=self.instance.gone_reason,
            )
        )
        if ended:
            await self._publish([streams.last_event(ended)])

    @property
    def _may_have_shown_output(self) -> bool:
        """After a takeover, an iterator may have shown items that never reached the row."""
        return bool(self.shown.items) or (self.attached and self.prediction.is_streamed)

    # --- Out ----------------------------------------------------------------------------------------------------------

    async def _queue(self, event: Event | None) -> None:
        if event is None:
            return
        self._unpublished.append(event)
        self._is_dirty = True
        is_first_output = event.kind == "output" and event.at == 0
        if is_first_output or time.monotonic() - self._published_at >= _GATHER_SECONDS:
            await self._flush()

    async def _flush(self) -> None:
        events, self._unpublished = _joined(self._unpublished), []
        self._published_at = time.monotonic()
        if events:
            await self._publish(events)

    async def _publish(self, events: list[Event]) -> None:
        await streams.publish(self.prediction.pk, events)

    async def _save(self) -> None:
        self._is_dirty = False
        self._saved_at = time.monotonic()
        outputs = self.shown.items if self.prediction.is_streamed else None
        try:
            is_ours = await dbthreads.run(
                lifecycle.save_progress,
                self.prediction.pk,
                self.prediction.claim,
                outputs=outputs,
                logs=self.shown.logs,
                has_webhook=bool(self.prediction.webhook),
            )
        except (OperationalError, InterfaceError):
            self._is_dirty = True  # the next time will do
            return
        if not is_ours:
            self.abandon()

    async def _end(
        self,
        status: Status,
        *,
        predict_us: int,
        output: Any = None,
        error: str | None = None,
        metrics: dict[str, Any] | None = None,
        fault_class: FaultClass = FaultClass.NONE,
    ) -> None:
        if output is None and self.prediction.is_streamed:
            output = self.shown.items
        self.ended = True
        outcome = Outcome(
            self.prediction.pk,
            self.prediction.claim,
            status,
            output=output,
            logs=self.shown.logs,
            error=self.shown.masked(error),
            metrics=self.shown.masked(metrics),
            predict_us=predict_us,
            fault_class=fault_class,
            doubt=self._doubt,
        )
        # A result that a model has given must not be computed twice.
        ended = await until_stored(lambda: self._store_end(outcome))
        events, self._unpublished = _joined(self._unpublished), []
        if ended:
            await self._publish([*events, streams.last_event(ended)])
            log.info("prediction_ended", prediction=ended.pk, status=ended.status, predict_us=predict_us)
        else:
            await self.engine.publish_end(self.prediction.pk)

    async def _store_end(self, outcome: Outcome) -> Prediction | None:
        if self.prediction.is_training and outcome.status == Status.SUCCEEDED:
            return await dbthreads.run(trainings.succeed, outcome)
        return await self.engine.ends.add(outcome)

    async def _store_file(self, data_uri: str) -> str:
        return await dbthreads.run(self.engine.store_output, self.prediction, data_uri)


def _joined(events: list[Event]) -> list[Event]:
    """All log text as one event, all items as one: within a few milliseconds their order says nothing."""
    logs = [event for event in events if event.kind == "logs"]
    output = [event for event in events if event.kind == "output"]
    joined = [event for event in events if event.kind not in ("logs", "output")]
    if logs:
        joined.append(Event("logs", at=logs[0].at, text="".join(event.text for event in logs)))
    if output:
        joined.append(Event("output", at=output[0].at, items=[item for event in output for item in event.items]))
    return joined
