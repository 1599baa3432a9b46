"""Who asks the venue and sends to it, joined alike for a start, for the house that trades and for a repair."""

from __future__ import annotations

from collections.abc import Callable

from triptych.domain import AbstractClock
from triptych.exchanges.gateway import AbstractGateway
from triptych.live.books import Books
from triptych.live.journal import AccountNamed
from triptych.live.monitoring import Metrics
from triptych.live.reconciliation import Reconciler
from triptych.live.rivals import Rivals
from triptych.live.sender import Sender
from triptych.settings.live import LiveSettings


def reconciler_of(
    books: Books,
    gateway: AbstractGateway,
    *,
    settings: LiveSettings,
    account: AccountNamed,
    clock: AbstractClock,
    metrics: Metrics,
    note: Callable[[str, str, str, str], None],
) -> Reconciler:
    """A reconciler with its sender, which looks for other sessions wherever there can be any.

    Args:
        books: whose journal is of the instance, with its lease.
        gateway: of the account.
        settings: of live trading: patience, policy, how long another session must be silent.
        account: on paper nobody else trades.
        clock: ours.
        metrics: count what was found.
        note: told in words what a person should know: severity, topic, text, symbol.
    """
    sender = Sender(gateway=gateway, books=books, clock=clock, metrics=metrics, note=note, config=settings.sending)
    config = settings.reconciliation
    rivals = None if account.world == "paper" else Rivals(
        journal=books.journal, gateway=gateway, clock=clock, quiet_minutes=config.rival_minutes, note=note
    )  # fmt: skip
    return Reconciler(
        config=config, strategy=books.journal.name, gateway=gateway, books=books, sender=sender, clock=clock,
        metrics=metrics, started_ms=clock.now_ms(), note=note, rivals=rivals,
    )  # fmt: skip
