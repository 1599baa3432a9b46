"""The lives of orders: decided, sent, unknown, working, ended, each phase with its beginning.

An order is UNKNOWN from the moment at which nobody could tell whether it lives: the venue's answer was `unknown`, or
the process ended between writing the order down and hearing an answer. It leaves that state on evidence alone: an
answer, a fill, or an end that the journal records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from triptych.domain import MoveStop, OrderCancelled, OrderFilled, OrderRejected, SubmitOrder
from triptych.live.journal import Entry, OrderAnswered, StepRecorded

Phase = Literal["sending", "unknown", "working", "partly filled", "filled", "cancelled", "rejected"]
FINAL: Final = frozenset({"filled", "cancelled", "rejected"})
KEPT: Final = 2_000


@dataclass(slots=True)
class OrderLife:
    """One order.

    Attributes:
        order_id, symbol, side, quantity, type, reduce_only, stop, target, reason: as it was decided.
        decided_ms: when it was written down, clock of the journal.
        token: of the process that wrote it.
        phases: (phase, since, why), the first one `sending`.
        filled: base units.
        paid: sum of price times quantity of its fills.
        fees: quote currency.
        happenings: (time, words) of what else was done to it.
    """

    order_id: str
    symbol: str
    side: str
    quantity: Decimal
    decided_ms: int
    token: int
    type: str = "market"
    reduce_only: bool = False
    limit_price: Decimal | None = None
    stop: Decimal | None = None
    target: Decimal | None = None
    reason: str = ""
    phases: list[tuple[Phase, int, str]] = field(default_factory=list)
    filled: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    fees: Decimal = Decimal(0)
    happenings: list[tuple[int, str]] = field(default_factory=list)

    @property
    def phase(self) -> Phase:
        """Where it stands."""
        return self.phases[-1][0]

    @property
    def is_final(self) -> bool:
        """Whether it has come to its end."""
        return self.phase in FINAL

    @property
    def average_price(self) -> float | None:
        """Of its fills; None before the first."""
        return float(self.paid / self.filled) if self.filled else None

    def enter(self, phase: Phase, time_ms: int, why: str = "") -> None:
        """Begin a phase; what is final stays final, and a phase that goes on does not begin again."""
        if self.is_final or phase == self.phase:
            return
        self.phases.append((phase, time_ms, why))

    def unknown_ms(self, now_ms: int) -> int:
        """How long nobody knew whether it lives, all its unknown phases together; one that lasts counts up to now."""
        ends = [*(since for _, since, _ in self.phases[1:]), now_ms]
        return sum(
            max(0, end - since)
            for (phase, since, _), end in zip(self.phases, ends, strict=True)
            if phase == "unknown"
        )  # fmt: skip


class Orders:
    """The newest orders of a journal, by id."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._lives: dict[str, OrderLife] = {}
        self._kept, self._token = kept, 0

    def __iter__(self) -> Iterator[OrderLife]:
        return iter(self._lives.values())

    def __len__(self) -> int:
        return len(self._lives)

    def get(self, order_id: str) -> OrderLife | None:
        """One order; None when it is not known."""
        return self._lives.get(order_id)

    def newest(self, count: int) -> list[OrderLife]:
        """The last `count` orders, the newest first."""
        return list(self._lives.values())[: -count - 1 : -1]

    def take(self, entry: Entry) -> None:
        """Take in one entry of the journal; entries come in the order of the journal."""
        if entry.token != self._token:
            self._forsake(entry)
        record, now = entry.record, entry.time_ms
        if isinstance(record, StepRecorded):
            self._decide(record, entry)
        elif isinstance(record, OrderFilled):
            self._fill(record, now)
        elif isinstance(record, OrderAnswered):
            self._answer(record, now)
        elif isinstance(record, OrderCancelled | OrderRejected):
            life = self._lives.get(record.order_id)
            if life is not None:
                # An engine may know of the fill first: then the end the venue tells is that of the rest.
                ended: Phase = "cancelled" if isinstance(record, OrderCancelled) else "rejected"
                life.enter(ended, now, record.reason)

    def _forsake(self, entry: Entry) -> None:
        """Another process writes: what the one before it was sending, nobody can tell."""
        for life in self._lives.values():
            if life.phase == "sending":
                life.enter("unknown", entry.time_ms, "the process ended before it heard an answer")
        self._token = entry.token

    def _decide(self, step: StepRecorded, entry: Entry) -> None:
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                self._lives[command.order_id] = OrderLife(
                    order_id=command.order_id, symbol=command.symbol, side=str(command.side),
                    quantity=command.quantity, decided_ms=entry.time_ms, token=entry.token, type=str(command.type),
                    reduce_only=command.reduce_only, limit_price=command.limit_price, stop=command.stop_loss,
                    target=command.take_profit, reason=command.reason, phases=[("sending", entry.time_ms, "")],
                )  # fmt: skip
            elif isinstance(command, MoveStop):
                self._note(command.order_id, entry.time_ms, f"stop moved to {command.stop_loss}")
            else:
                self._note(command.order_id, entry.time_ms, "withdrawal sent")
        while len(self._lives) > self._kept:
            del self._lives[next(iter(self._lives))]

    def _answer(self, record: OrderAnswered, now: int) -> None:
        life = self._lives.get(record.order_id)
        if life is None:
            return
        if record.command != "submit":
            self._note(record.order_id, now, f"{record.command}: {record.outcome} {record.text}".strip())
        elif record.outcome == "accepted":
            if life.phase in ("sending", "unknown"):  # a fill may have been quicker than the answer
                life.enter("working", now)
        else:
            life.enter("unknown" if record.outcome == "unknown" else "rejected", now, record.text)

    def _fill(self, fill: OrderFilled, now: int) -> None:
        life = self._lives.get(fill.order_id)
        if life is None or str(fill.reason) != "order":
            life = self._exit_of_the_venue(fill, now)
        life.filled += fill.quantity
        life.paid += fill.quantity * fill.price
        life.fees += fill.fee
        life.happenings.append((now, f"{fill.quantity} at {fill.price}"))
        life.enter("filled" if life.filled >= life.quantity else "partly filled", now)

    def _exit_of_the_venue(self, fill: OrderFilled, now: int) -> OrderLife:
        """A stop, a target or a liquidation is an order of the venue's own: it begins and ends with its fill."""
        words = str(fill.reason).replace("_", " ")
        life = OrderLife(
            order_id=f"{fill.order_id or 'venue'}/{fill.fill_id}", symbol=fill.symbol, side=str(fill.side),
            quantity=fill.quantity, decided_ms=now, token=self._token, type=words if words != "order" else "foreign",
            reduce_only=words != "order", reason="at the venue", phases=[("working", now, "")],
        )  # fmt: skip
        self._lives[life.order_id] = life
        return life

    def _note(self, order_id: str, now: int, words: str) -> None:
        life = self._lives.get(order_id)
        if life is not None:
            life.happenings.append((now, words))


def phases_of(life: OrderLife, now_ms: int) -> Iterable[tuple[Phase, int, int | None, str]]:
    """(phase, since, milliseconds it lasted, why); the last phase of an ended order lasts no time: None."""
    for index, (phase, since, why) in enumerate(life.phases):
        if index + 1 < len(life.phases):
            yield phase, since, max(0, life.phases[index + 1][1] - since), why
        else:
            yield phase, since, None if phase in FINAL else max(0, now_ms - since), why
