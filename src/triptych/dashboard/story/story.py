"""The story of a session, folded from its journal entry by entry, with bounds on what is kept.

The same fold serves a session that runs, one that has ended and one that was killed: it knows the journal only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from triptych.bootstrap.journals import entry_words
from triptych.dashboard.story.orders import Orders
from triptych.domain import OrderFilled, Prediction, SubmitOrder
from triptych.live.journal import Entry, NoteWritten, StepRecorded, SwitchSet

KEPT_DECISIONS: Final = 4_000
KEPT_MOMENTS: Final = 20_000
KEPT_ENTRIES: Final = 4_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Decided:
    """One decision in one instrument.

    Attributes:
        seq: of its entry in the journal.
        close_ms: of the candle decided on; written_ms: when it was written.
        orders: ids of the orders that it led to.
        held_back: reasons of orders that our own limits refused.
        identity: first characters of the fingerprint of the model that answered; empty where none did, or it has none.
    """

    seq: int
    symbol: str
    close_ms: int
    written_ms: int
    prediction: Prediction | None
    target: float
    exposure: float
    reason: str
    orders: tuple[str, ...]
    held_back: tuple[str, ...]
    identity: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """The account after one decision, quote currency; `stops` by symbol as they should lie at the venue.

    `time_ms` is the close decided on, the market's clock; what was switched between two closes has that of the first.
    """

    time_ms: int
    equity: float
    exposure: float
    stops: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One entry in words."""

    seq: int
    time_ms: int
    token: int
    kind: str
    symbol: str
    topic: str
    words: str


class Story:
    """What the newest part of a journal says.

    Attributes:
        last_seq: of the newest entry taken in; 0 before the first.
        last_ms: when it was written.
        orders: their lives.
        decisions, moments, fills, told: the newest ones, oldest first.
        switches: every turn of the switch, with its time.
        writers: (token, first entry's time) of every process that wrote, in order.
        initial_capital: quote currency; None before the first decision.
        last_step: the newest decision; `fills_since`: what was filled after it was written.
    """

    def __init__(self) -> None:
        self.last_seq = self.last_ms = 0
        self.orders = Orders()
        self.decisions: deque[Decided] = deque(maxlen=KEPT_DECISIONS)
        self.moments: deque[Moment] = deque(maxlen=KEPT_MOMENTS)
        self.fills: deque[OrderFilled] = deque(maxlen=KEPT_DECISIONS)
        self.told: deque[Told] = deque(maxlen=KEPT_ENTRIES)
        self.switches: deque[tuple[int, SwitchSet]] = deque(maxlen=100)
        self.writers: deque[tuple[int, int]] = deque(maxlen=100)
        self.initial_capital: float | None = None
        self.last_step: StepRecorded | None = None
        self.fills_since: list[OrderFilled] = []

    def take(self, entry: Entry) -> None:
        """Take in the next entry; one that was taken in before changes nothing."""
        if entry.seq <= self.last_seq:
            return
        self.last_seq, self.last_ms = entry.seq, entry.time_ms
        if not self.writers or self.writers[-1][0] != entry.token:
            self.writers.append((entry.token, entry.time_ms))
        self.orders.take(entry)
        record = entry.record
        if isinstance(record, StepRecorded):
            self._step(entry, record)
        elif isinstance(record, OrderFilled):
            self.fills.append(record)
            self.fills_since.append(record)
        elif isinstance(record, SwitchSet):
            self.switches.append((entry.time_ms, record))
        self.told.append(
            Told(
                seq=entry.seq, time_ms=entry.time_ms, token=entry.token, kind=type(record).__name__,
                symbol=str(getattr(record, "symbol", "")) or _symbols(record),
                topic=record.topic if isinstance(record, NoteWritten) else "", words=entry_words(entry),
            )
        )  # fmt: skip

    def decision(self, seq: int, symbol: str) -> Decided | None:
        """One decision; None when it is not kept any more."""
        return next((one for one in reversed(self.decisions) if one.seq == seq and one.symbol == symbol), None)

    def _step(self, entry: Entry, step: StepRecorded) -> None:
        self.last_step, self.fills_since = step, []
        sent: dict[str, list[str]] = {}
        for command in step.commands:
            if isinstance(command, SubmitOrder):
                sent.setdefault(command.symbol, []).append(command.order_id)
        for one in step.decisions:
            self.decisions.append(
                Decided(
                    seq=entry.seq, symbol=one.symbol, close_ms=one.time_ms, written_ms=entry.time_ms,
                    prediction=one.prediction, target=one.target, exposure=one.exposure, reason=one.reason,
                    orders=tuple(sent.get(one.symbol, ())),
                    held_back=tuple(denial.reason for denial in step.denials if denial.symbol == one.symbol),
                    identity=_identity_in(step.model),
                )
            )  # fmt: skip
        portfolio = step.state.portfolio
        self.initial_capital = float(portfolio.initial_capital)
        marks = dict(portfolio.marks)
        notional = sum(float(held.quantity) * marks.get(held.symbol, 0.0) for held in portfolio.positions)
        equity = float(portfolio.cash) + notional
        self.moments.append(
            Moment(
                time_ms=step.close_ms, equity=equity,
                exposure=notional / equity if equity > 0 else 0.0,
                stops=tuple((symbol, float(stop)) for symbol, (stop, _) in step.stops.items() if stop is not None),
            )
        )  # fmt: skip


def _symbols(record: object) -> str:
    if not isinstance(record, StepRecorded):
        return ""
    return ", ".join(dict.fromkeys(one.symbol for one in record.decisions))


def _identity_in(model: str) -> str:
    """What stands behind the name of a level in a step's model: the beginning of a fingerprint."""
    last = model.rpartition(" ")[2]
    return last if len(last) == 12 and set(last) <= set("0123456789abcdef") else ""
