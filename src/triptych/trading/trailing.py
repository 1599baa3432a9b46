"""The trailing stop: it follows the best price since the entry, and never goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from triptych.domain import Candle, Instrument, MoveStop, OrderFilled, SubmitOrder


@dataclass(frozen=True, kw_only=True, slots=True)
class Trail:
    """What there is to remember of the stop of one position; plain values, fit for a journal.

    Attributes:
        order_id: the order that opened the position.
        sign: 1 for a long position, -1 for a short one.
        distance: from the best price to the stop, quote currency; fixed at the entry.
        best: best price since the entry, on closed candles.
        stop: the stop as it is wanted.
        sent: whether the venue was told of this stop, with the entry or by `MoveStop`.
        is_new: whether no candle has closed since the entry.
        seen_ms: when the newest candle closed that is counted, at first the entry's time, UTC ms; -1: not known.
    """

    order_id: str
    sign: int
    distance: float
    best: float
    stop: Decimal
    sent: bool = True
    is_new: bool = True
    seen_ms: int = -1

    @classmethod
    def begun(cls, order: SubmitOrder, fill: OrderFilled) -> Trail | None:
        """The trail of a position that this fill opens; None when its order asked for none."""
        if order.trailing_distance is None or order.stop_loss is None:
            return None
        return cls(
            order_id=order.order_id,
            sign=order.side.sign,
            distance=float(order.trailing_distance),
            best=float(fill.price),
            stop=order.stop_loss,
            seen_ms=fill.time_ms,
        )

    def after(self, candle: Candle, instrument: Instrument) -> Trail:
        """The trail once a candle has closed.

        Of the candle in which the position was opened only the close counts: its high or low may lie before the fill.
        """
        extreme = candle.close if self.is_new else candle.high if self.sign > 0 else candle.low
        best = max(self.best * self.sign, extreme * self.sign) * self.sign
        level = instrument.round_price(best - self.sign * self.distance)
        closer = (level - self.stop) * self.sign > 0
        return replace(
            self, best=best, is_new=False, stop=level if closer else self.stop, sent=self.sent and not closer,
            seen_ms=candle.close_time_ms,
        )  # fmt: skip

    def after_all(self, candles: Sequence[Candle], instrument: Instrument) -> Trail:
        """The trail once those of the candles have closed that it has not seen; none where it knows of no time."""
        trail = self
        for candle in candles:
            if 0 <= trail.seen_ms < candle.close_time_ms:
                trail = trail.after(candle, instrument)
        return trail

    def is_passed(self, close: float) -> bool:
        """Whether the close lies at or beyond the stop: too late to move it there."""
        return (Decimal(repr(close)) - self.stop) * self.sign <= 0

    def move(self, symbol: str, time_ms: int) -> MoveStop:
        """The command that tells the venue."""
        return MoveStop(order_id=self.order_id, symbol=symbol, time_ms=time_ms, stop_loss=self.stop)
