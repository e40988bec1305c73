"""The official Python client, pointed at the live site."""

import pytest
import replicate

from tests.plugins.live_site import LiveSite


@pytest.fixture(scope="session")
def client(live_site: LiveSite) -> replicate.Client:
    """As its users make it: token and base URL, nothing else."""
    return replicate.Client(api_token=live_site.token, base_url=live_site.base_url)


@pytest.fixture(scope="session")
def echo(live_site: LiveSite) -> str:
    """Text in, text out."""
    return f"nina/echo:{live_site.publish('echo')}"


@pytest.fixture(scope="session")
def waiting(live_site: LiveSite) -> str:
    """The same on hardware that no host has: what is asked of it stays in the queue."""
    return f"nina/waiting:{live_site.publish('echo', 'waiting', hardware='gpu-h100')}"


@pytest.fixture(scope="session")
def keyed(live_site: LiveSite) -> str:
    """Takes a secret, and gives it away in its log."""
    return f"nina/keyed:{live_site.publish('keyed')}"


@pytest.fixture(scope="session")
def ludo(live_site: LiveSite) -> str:
    """The token of somebody else, who owns nothing."""
    return live_site.new_account("ludo")


@pytest.fixture(scope="session")
def official_echo(live_site: LiveSite) -> str:
    """The same, to be called by name."""
    live_site.publish("echo", "official-echo", is_official=True)
    return "nina/official-echo"


@pytest.fixture(scope="session")
def words(live_site: LiveSite) -> str:
    """Streams words."""
    return f"nina/stream:{live_site.publish('stream')}"


@pytest.fixture(scope="session")
def slow(live_site: LiveSite) -> str:
    """Takes as long as it is told."""
    return f"nina/slow:{live_site.publish('slow')}"


@pytest.fixture(scope="session")
def fail(live_site: LiveSite) -> str:
    """Raises."""
    return f"nina/fail:{live_site.publish('fail')}"


@pytest.fixture(scope="session")
def files(live_site: LiveSite) -> str:
    """Files in, files out."""
    return f"nina/files:{live_site.publish('files')}"


@pytest.fixture(scope="session")
def learner(live_site: LiveSite) -> str:
    """Can be trained: it learns a text by heart."""
    return f"nina/learner:{live_site.publish('learner')}"


@pytest.fixture(scope="session")
def tuned(live_site: LiveSite) -> str:
    """A public model without versions, for what trainings make."""
    wanted = {"owner": "nina", "name": "tuned", "visibility": "public", "hardware": "cpu-small"}
    live_site.request("POST", "/v1/models", json=wanted).raise_for_status()
    return "nina/tuned"
