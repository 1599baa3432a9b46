"""A journal belongs to one account of one world: neither its fills nor its money mean anything on another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from triptych.domain.errors import JournalError
from triptych.live.journal import AccountNamed, Journal, NoteWritten

PAPER: Final = AccountNamed(world="paper")
_REMEDY: Final = (
    "Give every account a journal of its own: name another file (or another `name`), or go back to the venue and the "
    "key of this journal."
)


def require_account(journal: Journal, here: AccountNamed) -> None:
    """Raise JournalError for a journal that is of another account; one that names none may be of any."""
    entry = journal.last(AccountNamed)
    if entry is None:
        return
    there = entry.record
    assert isinstance(there, AccountNamed)
    is_other = there.account and here.account and there.account != here.account
    if there.world == here.world and not is_other:
        return
    raise JournalError(
        f"The journal {journal.place} of {journal.name!r} is of {_words(there)}, and this start is on {_words(here)}.",
        remedy=_REMEDY,
    )


def take_possession(journal: Journal, here: AccountNamed, tell: Callable[[str], None]) -> None:
    """Write whose journal it is before anything else in it; the lease must be held.

    A journal of an older version, which names no account, is taken to be of this one, once, and `tell` is told so.
    Raises JournalError as `require_account` does.
    """
    require_account(journal, here)
    if journal.last(AccountNamed) is not None:
        return
    if not journal.newest():
        journal.append(here)
        return
    text = f"the journal named no account; from now on it is of {_words(here)}"
    journal.append(here, NoteWritten(topic="account", text=text))
    tell(text)


def _words(one: AccountNamed) -> str:
    world = {"paper": "paper", "simulated": "the simulated exchange", "real": "real money"}.get(one.world, one.world)
    return f"{world}, account {one.account}" if one.account else world
