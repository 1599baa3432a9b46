"""A PostgreSQL server for one test: a cluster of its own in a temporary folder, reached through a socket there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_SERVERS = "/usr/lib/postgresql"
_USER = "triptych"


def postgres_binaries() -> Path | None:
    """Folder of initdb and pg_ctl: Debian's newest, or that on the path; None where there is no server."""
    found = sorted(Path(_SERVERS).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])) if _there() else []
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


def _there() -> bool:
    return Path(_SERVERS).is_dir()


@contextmanager
def postgres_server() -> Iterator[str]:
    """Start a server; its URL. The folder has a short name, since that of a socket must not be long."""
    binaries = postgres_binaries()
    assert binaries is not None
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    options: dict[str, object] = {"cwd": home, "env": {**os.environ, "LC_ALL": "C"}, "check": True}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        nobody = next(user for user in ("postgres", "nobody") if _known(user))
        os.chown(home, pwd.getpwnam(nobody).pw_uid, pwd.getpwnam(nobody).pw_gid)
        options["user"] = nobody
        options["group"] = pwd.getpwnam(nobody).pw_gid

    def run(*command: object) -> None:
        subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, **options)

    try:
        run(
            binaries / "initdb",
            "-D",
            home / "data",
            "-U",
            _USER,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        )
        settings = f"-c listen_addresses='' -c unix_socket_directories={home} -c fsync=off"
        run(binaries / "pg_ctl", "-D", home / "data", "-w", "-l", home / "log", "-o", settings, "start")
        try:
            yield f"postgresql://{_USER}@/postgres?host={home}"
        finally:
            run(binaries / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
