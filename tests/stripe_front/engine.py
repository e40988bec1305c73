"""The engine's server: Stripe's API with state, one private account per `/worlds/{id}`. Runs in .venv beside it.

`python engine.py PORT` serves until its standard input ends, so that it never outlives who started it. Beside Stripe's
routes each world has those below `/stand_in/`: the actions, `slowly/v1/…` and `authenticated/{card}/v1/…`.
"""

import os
import re
import sys
import threading
from dataclasses import replace

import engine_actions
import seahaven
import seahaven.http
from seahaven.http import HttpRequest, HttpResponse
from seahaven_stripe_world import world
from seahaven_stripe_world.http_api import handle

_INVOICE_PAY = re.compile("/v1/invoices/[^/]+/pay")


def answer(ctx: seahaven.Ctx, request: HttpRequest) -> HttpResponse:
    """Ours below /stand_in/, the engine's otherwise."""
    if request.path.startswith("/stand_in/"):
        _, _, action, *rest = request.path.split("/")
        if action == "slowly":
            return engine_actions.slowly(ctx, replace(request, path=f"/{'/'.join(rest)}"))
        if action == "authenticated":
            paying = replace(request, path=f"/{'/'.join(rest[1:])}")
            return engine_actions.authenticated(ctx, rest[0], lambda: answer(ctx, paying))
        return HttpResponse.json(engine_actions.ACTIONS[action](ctx, request.json()))
    if request.method == "POST" and _INVOICE_PAY.fullmatch(request.path):
        return engine_actions.pay_invoice(ctx, request)
    return handle(ctx, request)


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    test_mode = {"startup": {"livemode": False}, "clock_mode": "running"}
    seahaven.http.serve(world, answer, port=int(sys.argv[1]), reset_options=test_mode, max_instances=0)
