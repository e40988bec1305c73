"""How many webhooks of one account a worker sends at once: a receiver that hangs must leave threads to the others."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

AT_ONCE = 8  # of the worker's 16 threads
_PATIENCE_SECONDS = 0.1  # a receiver that answers makes room within it
_busy: Counter[int] = Counter()
_changed = threading.Condition()


@contextlib.contextmanager
def turn(account_id: int) -> Iterator[bool]:
    """Whether the account may send one now, in this process; held while the block runs."""
    with _changed:
        may_send = _changed.wait_for(lambda: _busy[account_id] < AT_ONCE, _PATIENCE_SECONDS)
        _busy[account_id] += may_send
    try:
        yield may_send
    finally:
        with _changed:
            _busy[account_id] -= may_send
            if not _busy[account_id]:
                del _busy[account_id]
            _changed.notify_all()
