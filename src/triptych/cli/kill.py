"""`triptych kill`: close everything that a running session holds, from the command line."""

from __future__ import annotations

import json as json_
import time
import urllib.error
import urllib.request
from typing import Annotated, Any, Final

import typer

from triptych.cli.console import out, print_json, progress
from triptych.cli.options import JsonOption

ANSWER_S: Final = 30.0
PAUSE_S: Final = 0.5


def kill(
    session: Annotated[
        str, typer.Option("--session", help="Session: the address of `triptych live --control`.", metavar="URL")
    ] = "http://127.0.0.1:9100",
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", help="Name of the instance, instead of being asked for it.", metavar="NAME"),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "",
    wait: Annotated[
        float,
        typer.Option(
            "--wait", min=0, help="Seconds to wait for a session that is starting, and for the venue to be flat."
        ),
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """Close everything at once and open nothing any more, also after a restart, until somebody sets it back.

    The token comes from TRIPTYCH_TOKEN, or from the file that TRIPTYCH_TOKEN_FILE names. Works from the moment at which
    the session opens its address, while it reconciles too. Exit status 1 when something is still held at the end of the
    wait; the session goes on trying.
    """
    from triptych.domain.errors import RecipeError
    from triptych.live.control import read_token

    token = read_token()
    if token is None:
        raise RecipeError(
            "There is no token for the session.",
            remedy="Set TRIPTYCH_TOKEN or TRIPTYCH_TOKEN_FILE to the one that it was started with.",
        )
    line = _Line(session.rstrip("/"), token, until_s=time.monotonic() + wait)
    if confirm is None:
        state = line.ask("/api/session")
        progress.print(
            f"This closes everything that {state['name']} holds on {state['venue']}: {', '.join(state['symbols'])}.",
            soft_wrap=True, markup=False,
        )  # fmt: skip
        confirm = typer.prompt("Type the name of the instance to confirm", err=True)
    said = {"switch": "killed", "confirm": confirm, "reason": reason or "no reason was given",
            "by": "the command line"}  # fmt: skip
    closure: dict[str, Any] = line.ask("/api/switch", said)
    until_s = time.monotonic() + wait
    while not closure["closed"] and time.monotonic() < until_s:
        time.sleep(PAUSE_S)
        closure = line.ask("/api/session")["switch"]["closure"] or closure
    if json:
        print_json({"switch": "killed", "closed": closure["closed"], "pending": closure["pending"],
                    "problems": closure["problems"]})  # fmt: skip
    else:
        rest = "; ".join((*closure["pending"], *closure["problems"])) or "the venue has not said that it is flat"
        text = (
            "the venue holds nothing any more." if closure["closed"] else f"not flat yet, the session goes on: {rest}."
        )
        out.print(f"Killed {confirm}: {text}", soft_wrap=True, markup=False)
    if not closure["closed"]:
        raise typer.Exit(1)


class _Line:
    """The way to a session that may be starting. No proxy is asked: the token goes nowhere else."""

    def __init__(self, url: str, token: str, *, until_s: float) -> None:
        self._url, self._token, self._until_s = url, token, until_s
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ask(self, path: str, said: dict[str, str] | None = None) -> dict[str, Any]:
        """The answer; a session that does not listen is asked again. Raises StorageError without an answer."""
        from triptych.domain.errors import StorageError

        while True:
            request = urllib.request.Request(
                self._url + path, data=None if said is None else json_.dumps(said).encode(),
                headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
            )  # fmt: skip
            try:
                with self._opener.open(request, timeout=ANSWER_S) as answer:
                    content: dict[str, Any] = json_.loads(answer.read())
                    return content
            except urllib.error.HTTPError as error:
                raise StorageError(
                    f"The session at {self._url} refused: {_words(error)}",
                    remedy="Its token and the name of its instance are needed." if error.code in (401, 409) else "",
                ) from error
            except (OSError, ValueError) as error:  # asking for the same switch twice does no harm
                if time.monotonic() >= self._until_s:
                    raise StorageError(
                        f"The session at {self._url} does not answer: {getattr(error, 'reason', error)}.",
                        remedy="Does `triptych live --control` run there? If the machine is gone: close by hand at the "
                        "venue, and take the key away.",
                    ) from error
                time.sleep(PAUSE_S)


def _words(error: urllib.error.HTTPError) -> str:
    try:
        return str(json_.loads(error.read())["error"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"HTTP {error.code}."
