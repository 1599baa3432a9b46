"""The interface of a venue that is reached over a wire: everything may be late, lost, doubled or unknown."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from triptych.domain import (
    CancelOrder,
    Candle,
    FundingPaid,
    Listing,
    OrderFilled,
    OrderReport,
    PositionReport,
    StreamState,
    SubmitOrder,
    WalletReport,
)

Outcome = Literal["accepted", "rejected", "unknown"]
PrivateMessage = OrderReport | OrderFilled | FundingPaid | PositionReport | WalletReport | StreamState


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back to a command.

    `accepted`: the venue has it (also when it had it before); it may still reject it later, on the stream.
    `rejected`: it will never live. `unknown`: nobody can tell, ask for the order. `doubts_rules`: it was refused in a
    way that may mean that the instrument's rules, its status or the account's position mode have changed.
    """

    outcome: Outcome
    venue_id: str = ""
    text: str = ""
    doubts_rules: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Remark:
    """Something a person should know that a venue has said beside the answers.

    `severity`: warning or critical. `text`: in words. `symbol`: the instrument.
    """

    severity: Literal["warning", "critical"]
    text: str
    symbol: str


class AbstractCandleSource(ABC):
    """Where closed candles come from: history by question, the newest as they close."""

    @property
    def told_ms(self) -> int:
        """The stream has given out every candle that closed by then, UTC ms; -1 where nobody knows, as of a venue's."""
        return -1

    @abstractmethod
    async def history(self, symbol: str, start_ms: int, end_ms: int) -> Sequence[Candle]:
        """Closed candles that open in [start_ms, end_ms), oldest first.

        Raises ExchangeError when it cannot be asked.
        """

    @abstractmethod
    def stream(self) -> AsyncIterator[Candle | StreamState]:
        """Candles as they close, of all instruments; interruptions are told as `StreamState`.

        The stream of a tape comes to an end.
        """


class AbstractGateway(ABC):
    """A venue. Commands never raise for what the wire does: that is `unknown`. Questions raise ExchangeError.

    Attributes:
        venue: its name, for labels.
        validity_ms: how long after a command was signed the venue may still accept it. What is not found then never
            arrived.
    """

    venue: str
    validity_ms: int

    @abstractmethod
    async def submit(self, order: SubmitOrder, *, signed_ms: int) -> Answer:
        """Send an order under its own id, with its stop and target in the same message.

        `signed_ms` is the time of our clock that the request carries, corrected by the clock offset: however late the
        message is delivered, the venue refuses it `validity_ms` after that.
        """

    @abstractmethod
    async def cancel(self, command: CancelOrder, *, signed_ms: int) -> Answer:
        """Withdraw an order. One that is not open any more is `rejected`."""

    @abstractmethod
    async def protect(
        self, symbol: str, *, stop_loss: Decimal | None, take_profit: Decimal | None, signed_ms: int | None = None
    ) -> Answer:
        """Set stop and target of the position at the venue; None leaves none. `signed_ms` as above; None: now."""

    @abstractmethod
    async def find_order(self, order_id: str, symbol: str) -> OrderReport | None:
        """The order, open or closed; None when the venue has never seen it."""

    @abstractmethod
    async def open_orders(self, symbols: Sequence[str]) -> Sequence[OrderReport]:
        """All open orders of these instruments, those of other programs and people too.

        Stop and target of a position are none of them, also where the venue lists them so: `positions` tells of them.
        """

    @abstractmethod
    async def executions(self, symbols: Sequence[str], since_ms: int) -> Sequence[OrderFilled | FundingPaid]:
        """Everything that was filled or paid in these instruments since then, oldest first."""

    @abstractmethod
    async def positions(self, symbols: Sequence[str]) -> Mapping[str, PositionReport]:
        """The position in each of these instruments; flat where there is none."""

    async def listings(self, symbols: Sequence[str]) -> Mapping[str, Listing] | None:
        """What the venue says of these instruments now: rules, status, end. One that it does not list is left out.

        None where nothing of it can change, as on paper. Raises ExchangeError when it cannot be asked.
        """
        return None

    async def hedged(self, symbols: Sequence[str]) -> Sequence[str]:
        """Those of these instruments in which the account holds long and short apart (hedge mode), also while it is
        flat: every order of ours would be refused there. Raises ExchangeError when it cannot be asked.
        """
        return ()

    def remarks(self) -> Sequence[Remark]:
        """What is worth telling of the messages since this was asked last, each once."""
        return ()

    @abstractmethod
    async def wallet(self) -> WalletReport:
        """The account's money."""

    @abstractmethod
    async def time_ms(self) -> int:
        """The venue's clock, UTC milliseconds."""

    @abstractmethod
    def stream(self) -> AsyncIterator[PrivateMessage]:
        """Messages about the account as they come in, for ever; interruptions are told as `StreamState`."""
