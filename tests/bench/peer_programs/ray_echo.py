"""Ray Serve with a model that gives its text back: `ray_echo.py PORT`."""

import sys
import time

from ray import serve
from starlette.requests import Request


@serve.deployment(max_ongoing_requests=100)  # with the default of 5, 32 clients get nearly nothing
class Echo:
    """The same work as tests/cog_models/echo."""

    async def __call__(self, request: Request) -> dict[str, str]:
        """One prediction."""
        return {"output": (await request.json())["input"]["text"]}


if __name__ == "__main__":
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Echo.bind())
    while True:
        time.sleep(1)
