"""What a venue says of an instrument that it lists, beyond the rules that every order meets."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from triptych.domain.instrument import Instrument


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """An instrument as listed.

    Attributes:
        instrument: symbol, venue, steps, minimums and the largest leverage.
        category: the venue's shelf: spot, linear, inverse or option.
        kind: the venue's word for the contract, such as LinearPerpetual; empty where it gives none.
        status: the venue's word: Trading, PreLaunch, Closed ...
        base, quote, settle: currencies; `settle` is empty on spot.
        maximum_quantity, maximum_market_quantity: of one limit, one market order, base units; None: no limit.
        funding_interval_minutes: None where there is no funding.
        launch_ms, delivery_ms: UTC milliseconds; None: unknown, or never delivered.
    """

    instrument: Instrument
    category: str
    kind: str
    status: str
    base: str
    quote: str
    settle: str = ""
    maximum_quantity: Decimal | None = None
    maximum_market_quantity: Decimal | None = None
    funding_interval_minutes: int | None = None
    launch_ms: int | None = None
    delivery_ms: int | None = None
