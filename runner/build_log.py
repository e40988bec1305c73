"""The log of a running build: gathered here, written to the row and told to watchers twice a second.

The same thread keeps the build's heartbeat, so a build whose log can't be written is soon another worker's. Lines are
bounded, the whole is bounded; what a model prints never breaks the database.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.db.models import F, Value
from django.db.models.functions import Concat
from django.utils import timezone

from runner import build_streams
from runner.build_errors import ClaimLost
from runner.build_streams import BuildEvent
from runner.models import Build

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.5
HEARTBEAT_SECONDS = 10.0
_LINE_LENGTH = 4000
_CUT_OFF = "[modelyard] The log is too long; the rest is left out.\n"


class BuildLog:
    """Of one claim of one build. Use as a context; `line` and `step` from one thread.

    Both raise ClaimLost once the row says that the claim is no longer good; `interrupt` is then called, too, so that a
    silent command can be ended.
    """

    def __init__(self, build_id: int, claim: str) -> None:
        self._build_id = build_id
        self._claim = claim
        self._lock = threading.Lock()
        self._pending: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_flushing, name=f"build-log-{build_id}", daemon=True)
        self._length = len(Build.objects.get(pk=build_id).log)  # characters, written and pending
        self._written = self._length
        self._beat = 0.0
        self._is_lost = False
        self._is_full = False
        self.interrupt: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def line(self, text: str) -> None:
        """Add one line (or several). Raises ClaimLost."""
        if self._is_lost:
            raise ClaimLost
        lines = [part[:_LINE_LENGTH] for part in text.replace("\x00", "\ufffd").rstrip("\n").split("\n")]
        added = "\n".join(lines) + "\n"
        with self._lock:
            if self._is_full:
                return
            if self._length + len(added) > settings.MAX_LOG_CHARACTERS:
                added, self._is_full = _CUT_OFF, True
            self._pending.append(added)
            self._length += len(added)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A heading with its time of day, and when the step is done, how long it took."""
        self.line(f"==> {title}  [{timezone.now():%H:%M:%S}]")
        started = time.monotonic()
        yield
        self.line(f"    {title}: {time.monotonic() - started:.1f} s")

    def _keep_flushing(self) -> None:
        try:
            while not self._stop.wait(FLUSH_SECONDS):
                self._flush()
            self._flush()
        finally:
            connection.close()

    def _flush(self) -> None:
        with self._lock:
            text = "".join(self._pending)
        if self._is_lost or not (text or time.monotonic() - self._beat > HEARTBEAT_SECONDS):
            return
        try:
            is_mine = self._write(text)
        except (OperationalError, InterfaceError) as error:
            log.warning("build_log_delayed", build_id=self._build_id, error=str(error))
            connection.close()
            return
        if not is_mine:
            self._is_lost = True
            self.interrupt()
            return
        with self._lock:
            rest = "".join(self._pending)[len(text) :]
            self._pending = [rest] if rest else []
        if text:
            build_streams.publish(self._build_id, BuildEvent("log", at=self._written, text=text))
            self._written += len(text)

    def _write(self, text: str) -> bool:
        mine = Build.objects.filter(pk=self._build_id, claim=self._claim, status=Build.Status.RUNNING)
        is_mine = bool(mine.update(log=Concat(F("log"), Value(text)), heartbeat_at=timezone.now()))
        self._beat = time.monotonic()
        return is_mine
