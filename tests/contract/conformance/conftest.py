"""A second site, by https as in production: clients wrap an output as a file only if its address says https."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.plugins.live_site import LiveSite
from tests.plugins.tls import certificate, listening, tls_in_front_of


@dataclass(frozen=True)
class HttpsSite:
    """url: the public one. authorities: the file with the certificate that clients must trust."""

    site: LiveSite
    url: str
    authorities: Path


@pytest.fixture(scope="session")
def https_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpsSite]:
    """With the models `files` and `gallery` of nina."""
    authorities, listener = certificate(tmp_path_factory.mktemp("tls")), listening()
    url = f"https://localhost:{listener.getsockname()[1]}"
    with LiveSite.started(PUBLIC_URL=url) as site:
        port = int(site.base_url.rpartition(":")[2])
        with tls_in_front_of(port, listener, authorities):
            yield HttpsSite(site, url, authorities)


@pytest.fixture
def trusted(https_site: HttpsSite, monkeypatch: pytest.MonkeyPatch) -> HttpsSite:
    """The https site, whose certificate httpx trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(https_site.authorities))
    return https_site
