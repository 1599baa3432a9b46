"""A standby: a second process that waits until nobody trades, and then does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from triptych.domain.errors import JournalError
from triptych.live.journal import Lease


async def wait_until_free(lease: Lease, tell: Callable[[str], None], *, every_s: float = 0.5) -> None:
    """Return once nobody holds the lease: it has run out, was given back, or its holder's process is dead.

    Whoever acquires it then may still find that another standby was faster. A database that cannot be asked (SQLite's
    lock dies with the process that holds it, and a stopped process is not dead) is asked again. `tell` is told in words
    whenever the holder changes.
    """
    told = ""
    while True:
        try:
            holder = await asyncio.to_thread(lease.holder)
        except JournalError as error:
            said = f"the journal cannot be asked who trades: {error.message}"
        else:
            if holder is None:
                return
            said = f"standing by: {lease.name} is traded by {holder.owner} (process {holder.pid} on {holder.host})"
        if said != told:
            tell(said)
            told = said
        await asyncio.sleep(every_s)
