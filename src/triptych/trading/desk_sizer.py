"""What sizing makes of a target, at a desk: the volatility that it needs is measured on the desk's own candles."""

from __future__ import annotations

from triptych.domain import Prediction
from triptych.trading.desk import Desk
from triptych.trading.sizing import Config, Sizer
from triptych.trading.volatility import ReturnVolatility


class DeskSizer(Sizer):
    """A sizer that reads candles.

    Attributes:
        length: candles of the past that it needs; 0 where it looks at none.
    """

    def __init__(self, config: Config, n_instruments: int) -> None:
        super().__init__(config, n_instruments)
        self._volatility = ReturnVolatility(config.half_life)
        self.length = self._volatility.n_returns + 1 if self.needs_volatility else 0

    def exposure_at(self, desk: Desk, target: float, prediction: Prediction | None, current: float) -> float:
        """What sizing makes of a target; `current` where it needs a prediction and there is none to size by."""
        unit = self.needs_volatility
        if target == 0.0 or not unit:
            return self.exposure(target)
        if self.needs_prediction and (prediction is None or not prediction.is_usable):
            return current if current * target > 0 else 0.0
        values = desk.window.last(self.length)
        if values is None:
            return 0.0
        if unit == "candle":
            return self.exposure(target, self._volatility.per_candle(values), prediction)
        return self.exposure(target, self._volatility(values, desk.window.last_times(self.length)))
