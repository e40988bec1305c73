"""Whose a folder of PostgreSQL's data is, and how to run a command as that user: PostgreSQL refuses to run as root.

An ordinary user runs it as itself. Root runs it in a user namespace that shows another number, which needs no account
and no change of owner; where there are none, as `postgres` or `nobody`, to whom the folders are then given.
Source: docker-lab.md 8.
"""

import contextlib
import functools
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")


class NoOwner(RuntimeError):
    """There is no user to run as; the message says why and what to do."""


@dataclass(frozen=True)
class Owner:
    """`words` go before a command; uid and gid are those of the files it makes, seen from outside."""

    words: tuple[str, ...]
    uid: int
    gid: int

    def take(self, folder: Path) -> None:
        """Make the folder and all in it the owner's. Nothing to do where they are already."""
        for path in (folder, *folder.rglob("*")):
            if path.lstat().st_uid != self.uid:
                os.chown(path, self.uid, self.gid, follow_symlinks=False)


def owner_of(data: Path) -> Owner:
    """Who runs the server on the folder, which need not exist yet. Raises NoOwner."""
    ours, facts = os.geteuid(), data.stat() if data.exists() else None
    uid = facts.st_uid if facts else ours
    if ours != 0:
        if uid != ours:
            raise NoOwner(f"{data} belongs to user {uid}: start as that user, or choose another VAR_DIR.")
        return Owner((), ours, os.getegid())
    if facts and uid != 0:
        return _switch_to(uid, facts.st_gid)
    if namespaces_work():
        return Owner(_NAMESPACE, 0, 0)
    account = _account()
    return _switch_to(account.pw_uid, account.pw_gid)


@functools.cache
def namespaces_work() -> bool:
    """Whether root may make a user namespace here; many containers forbid it."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def _account() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoOwner("PostgreSQL can't run as root here: there are no user namespaces and no user `nobody`.")


def _switch_to(uid: int, gid: int) -> Owner:
    """By setpriv, which becomes the command; runuser would stay its parent and miss our signals."""
    if not shutil.which("setpriv"):
        raise NoOwner(
            "PostgreSQL can't run as root here (no `setpriv`). Start as an ordinary user, or set DATABASE_URL."
        )
    return Owner(("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"), uid, gid)
