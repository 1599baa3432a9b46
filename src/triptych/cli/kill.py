"""`triptych kill`: close everything that a running session holds, from the command line."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from triptych.cli.console import out, print_json, progress
from triptych.cli.options import JsonOption

if TYPE_CHECKING:
    from triptych.live.control import SessionClient

ANSWER_S: Final = 30.0
PAUSE_S: Final = 0.5
STARTING: Final = 503
"""HTTP status of a session that is starting."""


def kill(
    session: Annotated[
        str, typer.Option("--session", help="Session: the address of `triptych live --control`.", metavar="URL")
    ] = "http://127.0.0.1:9100",
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", help="Name of the instance, instead of being asked for it.", metavar="NAME"),
    ] = None,
    journal: Annotated[
        str | None,
        typer.Option(
            "--journal",
            help="Write the kill into this journal's database (PostgreSQL), or into the file beside it (on the machine "
            "of the session), instead: for a session without --control, one that does not answer, and the next start.",
            metavar="FILE|URL",
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal.")] = "",
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            help="Seconds to wait for a session that is starting, or is to hear a kill beside its "
            "journal, and for the venue to be flat.",
        ),
    ] = 60.0,
    json: JsonOption = False,
) -> None:
    """Close everything at once and open nothing any more, also after a restart, until somebody sets it back.

    The token comes from TRIPTYCH_TOKEN, or from the file that TRIPTYCH_TOKEN_FILE names. Works from the moment at which
    the session opens its address, before it reconciles and loads its models. Exit status 1 when something is still held
    at the end of the wait; the session goes on trying.

    With --journal no session is asked, and no token is needed: whoever may write there is heard. A session that runs
    looks every second, one that starts as soon as it asks the venue. It says whether one has heard it; exit status 1 in
    any case, since nobody has said that all is closed, and 2 for a journal that is not there or holds no such instance.
    """
    from triptych.domain.errors import RecipeError
    from triptych.live.control import SessionClient, read_token

    if journal is not None:
        _kill_beside(journal, confirm, reason or "no reason was given", wait, is_json=json)
    token = read_token()
    if token is None:
        raise RecipeError(
            "There is no token for the session.",
            remedy="Set TRIPTYCH_TOKEN or TRIPTYCH_TOKEN_FILE to the one that it was started with.",
        )
    killing = _kill(SessionClient(session, token, timeout_s=ANSWER_S), confirm, reason or "no reason was given", wait)
    name, closure = asyncio.run(killing)
    if json:
        print_json({"switch": "killed", "closed": closure["closed"], "pending": closure["pending"],
                    "problems": closure["problems"]})  # fmt: skip
    else:
        rest = "; ".join((*closure["pending"], *closure["problems"])) or "the venue has not said that it is flat"
        text = (
            "the venue holds nothing any more." if closure["closed"] else f"not flat yet, the session goes on: {rest}."
        )
        out.print(f"Killed {name}: {text}", soft_wrap=True, markup=False)
    if not closure["closed"]:
        raise typer.Exit(1)


async def _kill(client: SessionClient, confirm: str | None, reason: str, wait_s: float) -> tuple[str, dict[str, Any]]:
    """The name of the instance, and what became of the closing within the wait."""
    from triptych.live.control import SessionError

    until_s = time.monotonic() + wait_s
    async with client:
        if confirm is None:
            state = await _answer(client.named, until_s)
            held = f"{state['name']} holds on {state['venue'] or 'its venue'}: {', '.join(state['symbols']) or 'all'}"
            progress.print(f"This closes everything that {held}.", soft_wrap=True, markup=False)
            confirm = str(typer.prompt("Type the name of the instance to confirm", err=True))
        turn = functools.partial(client.turn, "killed", confirm=confirm, reason=reason, by="the command line")
        closure = await _answer(turn, until_s)
        until_s = time.monotonic() + wait_s
        while not closure["closed"] and time.monotonic() < until_s:
            await asyncio.sleep(PAUSE_S)
            try:
                closure = (await _answer(client.state, until_s))["switch"]["closure"] or closure
            except SessionError as error:  # it is starting to the end of the wait: what it said before holds
                if error.status != STARTING:
                    raise
    return confirm, closure


def _kill_beside(journal: str, confirm: str | None, reason: str, wait_s: float, *, is_json: bool) -> NoReturn:
    """Write the kill of the instance `confirm` where its session looks. Raises JournalError and StorageError."""
    from triptych.cli.journal import journal_place
    from triptych.live.killing import kill_beside

    if confirm is None:
        progress.print("This closes everything that the session on this journal holds.", soft_wrap=True, markup=False)
        confirm = str(typer.prompt("Type the name of the instance to confirm", err=True))
    found = kill_beside(journal_place(journal), confirm, reason, wait_s=wait_s)
    if is_json:
        print_json({"switch": "killed", "heard": found.is_heard, "closed": False, "pending": [found.words],
                    "problems": [found.problem] if found.problem else []})  # fmt: skip
    else:
        out.print(found.words, soft_wrap=True, markup=False)
    raise typer.Exit(1)


async def _answer(ask: Callable[[], Awaitable[dict[str, Any]]], until_s: float) -> dict[str, Any]:
    """The answer of a session that may be starting: asked again until it listens, for asking twice does no harm."""
    from triptych.live.control import SessionError

    while True:
        try:
            return await ask()
        except SessionError as error:
            if error.status not in (0, STARTING) or (error.status and time.monotonic() >= until_s):
                raise
            if time.monotonic() >= until_s:
                raise SessionError(
                    error.message,
                    remedy="Does `triptych live --control` run there? If the machine is gone: close by hand at the "
                    "venue, and take the key away.",
                ) from error
        await asyncio.sleep(PAUSE_S)
