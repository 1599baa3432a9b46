"""What sizing makes of a target, at a desk: by a volatility measured on the desk's own candles, or a foretold one."""

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

    def exposure_at(
        self, desk: Desk, target: float, prediction: Prediction | None, current: float
    ) -> tuple[float, str]:
        """What sizing makes of a target, and what the decision's reason has to add.

        It is `current` where sizing needs a prediction and there is none. An instrument whose price stands still is
        staked with nothing, whatever the model foretells: it has stopped trading.
        """
        unit = self.needs_volatility
        if target == 0.0 or not unit:
            return self.exposure(target), ""
        asks_model = self.needs_prediction or self.is_foretold
        if asks_model and (prediction is None or not prediction.is_usable):
            return (current if current * target > 0 else 0.0), ""
        values = desk.window.last(self.length)
        if values is None:
            return 0.0, ""
        per_candle, words = self._volatility.per_candle(values), ""
        if self.is_foretold and per_candle > 0.0:
            per_candle, words = self._foretold(prediction, per_candle)
        if unit == "candle":
            return self.exposure(target, per_candle, prediction), words
        per_year = self._volatility.per_year(per_candle, desk.window.last_times(self.length))
        return self.exposure(target, per_year), words

    def _foretold(self, prediction: Prediction | None, measured: float) -> tuple[float, str]:
        """The volatility of a candle to size by, and the words about it."""
        said = prediction and prediction.foretold
        told = said.volatility_per_candle if said else None
        if not said or told is None:
            return measured, f"; sized by the measured volatility {measured:.3%} a candle: the model foretells none"
        return told, (
            f"; sized by the foretold volatility {said.volatility:.2%} over {said.horizon} candles "
            f"({told:.3%} each, measured {measured:.3%})"
        )
