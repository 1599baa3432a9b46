"""A kill without the session's help: written where every session looks, and told truly whether one has heard it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from triptych.domain import SystemClock, utc
from triptych.domain.errors import JournalError, NoJournal
from triptych.live.journal import Journal, Switch, SwitchMarker, SwitchRow, SwitchSet, place_of
from triptych.live.journal.database import open_database

LOOK_S: Final = 0.25
"""Seconds between two looks whether it was heard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Killed:
    """What became of a kill.

    Attributes:
        is_heard: whether a session has entered it into its journal.
        words: the same for people.
        places: where it is written.
        problem: why the journal could not be asked; empty where it could.
    """

    is_heard: bool
    words: str
    places: tuple[str, ...]
    problem: str = ""


def kill_beside(where: str | Path, name: str, reason: str, *, wait_s: float) -> Killed:
    """Kill the instance `name` of the journal at `where`, a path or URL, without asking its session.

    On a server it is written into the database, where the session hears it on whichever machine; beside a file, or
    where the server does not answer, into files on this machine. While a session holds the lease it is waited for,
    `wait_s` seconds at most, until the journal says that it was heard.

    Raises NoJournal where there is no journal, JournalError where it holds nothing of such an instance, StorageError
    where no place takes it.
    """
    problem = _require_instance(where, name)
    by = f"the command line, beside the journal, at {utc(SystemClock().now_ms())} UTC"  # a second one is another
    said = SwitchSet(switch=Switch.KILLED, by=by, reason=reason)
    try:
        places = _written(where, name, said)
    except JournalError as error:
        problem = problem or error.message
        places = tuple(str(path) for path in SwitchMarker.of(where, name).keep_everywhere(said))
    written = f"written into {', '.join(places)}"
    if problem:
        words = (
            f"NOT HEARD yet: the journal cannot be asked ({problem.rstrip('.')}). The kill of {name} is {written}: a "
            "session on this machine whose journal has the same address hears it within seconds, one elsewhere does "
            "not. Look whether it closes."
        )
        return Killed(is_heard=False, words=words, places=places, problem=problem)
    is_heard, holder = _heard(where, name, said, wait_s)
    if is_heard:
        words = f"Killed {name}: the session has heard it. See what it holds."
    elif holder:
        words = (
            f"NOT HEARD: {holder} trades {name} and has not heard within {wait_s:g} s what is {written}. Is it another "
            "machine, or does it hang? Close by hand at the venue, and take the key away."
        )
    else:
        words = f"Nobody trades {name} now: the kill is {written}, and is what the next start begins with."
    return Killed(is_heard=is_heard, words=words, places=places)


def _require_instance(where: str | Path, name: str) -> str:
    """Why the journal could not be asked; empty where it holds such an instance. Raises JournalError where not."""
    try:
        journal = Journal.read(where, name)
        try:
            names = journal.names()
            known = name in names or journal.holder() is not None
        finally:
            journal.close()
    except NoJournal:
        raise
    except JournalError as error:
        return error.message
    if known:
        return ""
    remedy = f"It holds {', '.join(names)}." if names else "No instance has written into it yet."
    raise JournalError(f"{place_of(where)} holds no instance {name!r}: nothing was killed.", remedy=remedy)


def _written(where: str | Path, name: str, said: SwitchSet) -> tuple[str, ...]:
    """Where it stands now. Raises JournalError where a database refuses, StorageError where no file takes it."""
    if "://" not in str(where) or str(where).startswith("sqlite"):
        return (str(SwitchMarker.of(where, name).keep(said)),)
    database = open_database(where)
    try:
        SwitchRow(database, name).keep(said)
    finally:
        database.dispose()
    return (place_of(where),)


def _heard(where: str | Path, name: str, said: SwitchSet, wait_s: float) -> tuple[bool, str]:
    """Whether the journal holds it, and who trades; waits while somebody does."""
    until_s, who = time.monotonic() + wait_s, ""
    try:
        journal = Journal.read(where, name)
        try:
            while not (is_heard := journal.switch() == said):
                holder = journal.holder()
                who = "" if holder is None else f"{holder.owner} (process {holder.pid} on {holder.host})"
                if holder is None or time.monotonic() >= until_s:
                    break
                time.sleep(LOOK_S)
        finally:
            journal.close()
    except JournalError:
        return False, who or "perhaps somebody"
    return is_heard, who
