"""`manage.py runner`: the process that owns the instances of this host."""

import asyncio
import signal
from typing import Any

import uvloop
from django.core.management.base import BaseCommand

from runner.backends import make_backend
from runner.engine.loop import Engine


class Command(BaseCommand):
    """Run until SIGTERM or Ctrl-C. Models that run are left running; the next runner takes them over."""

    help = "Run the instances of this host"

    def handle(self, *args: Any, **options: Any) -> None:
        """Start the event loop."""
        uvloop.run(self._main())

    async def _main(self) -> None:
        engine = Engine(make_backend())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, engine.stop)
        await engine.run()
