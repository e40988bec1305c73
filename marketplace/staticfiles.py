"""Static files, served before Django sees the request: all that the finders find, listed once at the start.

With DEBUG each request looks anew, so that an edited or added file shows at once.
"""

from collections.abc import Iterator

from django.conf import settings
from django.contrib.staticfiles import finders
from servestatic import ServeStaticASGI  # type: ignore[import-untyped]


class _Fresh(ServeStaticASGI):  # type: ignore[misc]
    """Asks the finders each time."""

    def candidate_paths_for_url(self, url: str) -> Iterator[str]:
        """Where the file of this URL may be."""
        if found := finders.find(url.removeprefix(settings.STATIC_URL)):
            yield found


def static_files() -> ServeStaticASGI:
    """An ASGI application that answers 404 for what it does not have."""
    if settings.DEBUG:
        return _Fresh(None, autorefresh=True, max_age=0, allow_all_origins=False)
    server = ServeStaticASGI(None, max_age=60, allow_all_origins=False)
    for finder in finders.get_finders():
        for path, storage in finder.list([]):
            url = settings.STATIC_URL + path.replace("\\", "/")
            if url not in server.files:  # the first finder wins, as in Django
                server.add_file_to_dictionary(url, storage.path(path))
    return server
