"""`triptych live --dashboard`, `--control` and `--metrics`: a session that is opened to those who look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from triptych.cli.console import progress
from triptych.cli.dashboard import require_nicegui

if TYPE_CHECKING:
    from triptych.bootstrap.controlling import Control

_PROGRAM = "from triptych.cli import main; main()"
ENDS_WITHIN_S = 5.0


def metrics_of(address: str | None) -> tuple[str, int] | None:
    """Where metrics are served; None: nowhere.

    Raises RecipeError for an address that is none, or that others can reach where no token is set.
    """
    if address is None:
        return None
    from triptych.live.access import METRICS_VARIABLE, read_token
    from triptych.live.monitoring.server import access_of, parse_address

    host, port = parse_address(address)
    access_of(host, read_token(variable=METRICS_VARIABLE))
    return host, port


def control_of(control: str | None, dashboard: str | None, *, runs: Path) -> Control | None:
    """How a session is opened by these options; None when neither is given. `runs`: finished runs to show beside it.

    Raises RecipeError for an address that is none, for one that others can reach where no token is set, and for a
    dashboard without NiceGUI: before anything is traded.
    """
    if control is None and dashboard is None:
        return None
    from triptych.bootstrap.controlling import Control, nothing_beside
    from triptych.live.control import Access, generate_token, read_token
    from triptych.live.monitoring.server import parse_address

    given = read_token()
    token = given or generate_token()
    host, port = ("127.0.0.1", 0) if control is None else parse_address(control)
    Access(host=host, token=given)
    if dashboard is not None:
        require_nicegui()
        Access(host=parse_address(dashboard)[0], token=given)
    if given is None:
        # On the terminal of whoever started it, and nowhere else.
        progress.print(f"Token of this session: {token}", soft_wrap=True, markup=False)
    return Control(
        host=host, port=port, token=token,
        beside=nothing_beside if dashboard is None else lambda url: _start(dashboard, url, token, runs),
    )  # fmt: skip


def _start(listen: str, url: str, token: str, runs: Path) -> Callable[[], None]:
    """Start the dashboard as a process of its own: nothing that goes wrong there touches the one that trades.

    It ends with its standard input, so also when this process is killed. Returns what ends it.
    """
    # The token travels in the environment: arguments can be read by every user of the machine.
    environment = {**os.environ, "TRIPTYCH_TOKEN": token}
    for secret in ("BYBIT_API_KEY", "BYBIT_API_SECRET", "BYBIT_KEY_FILE", "TRIPTYCH_METRICS_TOKEN"):
        environment.pop(secret, None)
    command = [sys.executable, "-c", _PROGRAM, "dashboard", "--session", url, "--listen", listen,
               "--runs", str(runs), "--until-stdin-closes"]  # fmt: skip
    child = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment)

    def end() -> None:
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    return end
