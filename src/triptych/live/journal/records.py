"""What the journal holds: one frozen record for everything that must not be forgotten.

    AccountNamed      the world and the account that the journal is of: its first entry
    StepRecorded      one decision: what was decided, the commands it leads to and the engine's state after it
    OrderAnswered     what the venue answered to it; `unknown` when nobody can tell
    OrderFilled, OrderRejected, OrderCancelled, FundingPaid   events, as the engine takes them in
    SwitchSet         trading was halted, limited to closing, or allowed again
    NoteWritten       anything a person wants to read later: reconciliation, fallback level, alarms

Steps and events are enough to rebuild the engine; the others tell the story of an order.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Discriminator, Tag, TypeAdapter

from triptych.domain import (
    CancelOrder,
    FundingPaid,
    MoveStop,
    OrderCancelled,
    OrderDenied,
    OrderFilled,
    OrderRejected,
    Side,
    SubmitOrder,
)
from triptych.trading.decision import Decision, EngineState


def _kind_of_command(value: Any) -> str:
    """Which command a dictionary or an object is: only orders have a side, and cancellations no stop."""
    if isinstance(value, dict):
        return "submit" if "side" in value else "move" if "stop_loss" in value else "cancel"
    return "submit" if isinstance(value, SubmitOrder) else "move" if isinstance(value, MoveStop) else "cancel"


JournalledCommand = Annotated[
    Annotated[SubmitOrder, Tag("submit")] | Annotated[CancelOrder, Tag("cancel")] | Annotated[MoveStop, Tag("move")],
    Discriminator(_kind_of_command),
]


Cause = Literal["candles", "switch", "stop"]


class Switch(StrEnum):
    """What the house allows itself."""

    RUN = "run"
    CLOSE_ONLY = "close_only"
    KILLED = "killed"


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountNamed:
    """Where everything in this journal happens.

    Attributes:
        world: what is at stake there.
        account: the account's number as the venue tells it, never the key; empty where it does not tell.
    """

    world: Literal["paper", "simulated", "testnet", "demo", "real"]
    account: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepRecorded:
    """One decision on the candles that closed at `close_ms`, written before any of its commands is sent.

    Attributes:
        cause: the close of candles; between two closes the switch that was turned, or a stop that could not be set
            again. Then `close_ms` is that of the decision before.
        commands: what is sent once this is written, first attempts.
        state: the engine after the decision, its orders under way.
        model: name and fingerprint of the model whose predictions were decided on; empty when none answered.
        stops: by symbol, where the position's stop and target should lie at the venue; None: nowhere.
        protections: the same by symbol and side (buy: of a long) before `commands`, with what a turn under way may lead
            to; empty in journals of earlier versions.
        peak_equity: highest equity at any decision so far, quote currency.
    """

    __pydantic_config__ = ConfigDict(ser_json_inf_nan="strings")

    close_ms: int
    decisions: tuple[Decision, ...]
    denials: tuple[OrderDenied, ...]
    commands: tuple[JournalledCommand, ...]
    state: EngineState
    stops: dict[str, tuple[Decimal | None, Decimal | None]]
    protections: dict[str, dict[Side, tuple[Decimal | None, Decimal | None]]] = field(default_factory=dict)
    cause: Cause = "candles"
    model: str = ""
    peak_equity: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderAnswered:
    """What came back. `unknown`: a timeout, a lost connection, an overloaded venue; the order may or may not live."""

    order_id: str
    symbol: str
    command: Literal["submit", "cancel", "move"]
    outcome: Literal["accepted", "rejected", "unknown"]
    venue_id: str = ""
    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SwitchSet:
    """From here on the house allows itself only `switch`; the last one counts, also after a restart."""

    switch: Switch
    by: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteWritten:
    """For people. `topic` groups notes, such as reconciliation, fallback, alert."""

    topic: str
    text: str
    symbol: str = ""


Event = OrderFilled | OrderRejected | OrderCancelled | FundingPaid
Record = AccountNamed | StepRecorded | OrderAnswered | Event | SwitchSet | NoteWritten

EVENTS: Final = (OrderFilled, OrderRejected, OrderCancelled, FundingPaid)
_TYPES: Final[tuple[type[Any], ...]] = (
    AccountNamed, StepRecorded, OrderAnswered, *EVENTS, SwitchSet, NoteWritten,
)  # fmt: skip
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {one.__name__: TypeAdapter(one) for one in _TYPES}


def encode(record: Record) -> tuple[str, str]:
    """Kind and JSON of a record. Decimals are written as text, so nothing is rounded."""
    kind = type(record).__name__
    return kind, _ADAPTERS[kind].dump_json(record).decode()


def decode(kind: str, body: str) -> Record:
    """The record that `encode` was given. Raises KeyError or pydantic's ValidationError for anything else."""
    record: Record = _ADAPTERS[kind].validate_json(body)
    return record


def key_of(record: Record) -> str | None:
    """What makes a record the same as another: written twice, it counts once. None: every one counts.

    A venue repeats its messages, and REST tells again what the stream has told.
    """
    if isinstance(record, StepRecorded):
        return str(record.close_ms) if record.cause == "candles" else None
    if isinstance(record, OrderFilled):
        return record.fill_id
    if isinstance(record, OrderRejected | OrderCancelled):
        return record.order_id
    if isinstance(record, FundingPaid):
        return f"{record.symbol} {record.time_ms}"
    return None
