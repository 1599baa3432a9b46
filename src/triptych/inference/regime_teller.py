"""What a recipe is told of the market beside a prediction: its regimes, and whether it has switched of late.

The filter of five regimes with a network's soft labels where there is one, and the alarms of `switch_model.py` beside
it. All of it is told from the last `memory` + 240 candles, so that backtest, paper and live are told the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from triptych.domain import CandleSeries, Prediction
from triptych.inference.regimes import WARM_UP, RegimeFilter
from triptych.inference.soft_labels import FOLDER, SoftLabels
from triptych.inference.switch_model import SwitchModel
from triptych.inference.switches import NEVER


@dataclass(frozen=True, kw_only=True)
class ToldRegimes:
    """What is told at some closes.

    Attributes:
        probability: of each regime, shape (n, 5); NaN while it is not known.
        since_switch: candles since the last alarm of a switch, shape (n,); -1: none of late.
    """

    probability: NDArray[np.float64]
    since_switch: NDArray[np.int64]

    def beside(self, predictions: Iterable[Prediction]) -> list[Prediction]:
        """The predictions of these closes, in order, with what is told."""
        rows = zip(predictions, self.probability.tolist(), self.since_switch.tolist(), strict=True)
        return [replace(one, regimes=tuple(row), since_switch=age) for one, row, age in rows]


@dataclass(frozen=True, kw_only=True)
class RegimeTeller:
    """Everything that was fitted on the training segment.

    Attributes:
        filter: of the five regimes.
        memory: candles that each close is told from, after the first 240.
        switches: model of the alarms; None in an artifact from before there was one: no switch is told.
        soft: network that the filter hears; None: it hears none.
    """

    filter: RegimeFilter
    memory: int
    switches: SwitchModel | None = None
    soft: SoftLabels | None = None

    @property
    def reach(self) -> int:
        """Candles that all is told from."""
        return WARM_UP + self.memory

    def probabilities(self, series: CandleSeries, first: int = 0) -> NDArray[np.float64]:
        """Regimes at every close, each from the last `reach` candles, shape (n_candles, 5).

        NaN before they are known, and before candle `first` where a network is heard: nobody need ask it about those.
        """
        if self.soft is None:
            return self.filter.recent(series, self.memory)
        found = self.filter.recent(series, self.memory, self.soft.likelihood(series, first - self.memory + 1))
        found[: max(first, 0)] = np.nan
        return found

    def at(self, series: CandleSeries, ends: NDArray[np.int64]) -> ToldRegimes:
        """What is told at the closes of candles `ends`."""
        first = int(ends.min()) if len(ends) else len(series)
        since = np.full(len(ends), NEVER) if self.switches is None else self.switches.since(series, ends, self.memory)
        return ToldRegimes(probability=self.probabilities(series, first)[ends], since_switch=since)

    def notes(self) -> tuple[str, ...]:
        """What one must know of regimes and alarms, a sentence each."""
        return (*self.filter.notes(), *(() if self.switches is None else self.switches.notes()))

    def card(self) -> dict[str, Any]:
        """What a card says: plain numbers. A network stands in a folder of its own, see `inference/soft_labels.py`."""
        found: dict[str, Any] = {
            "memory": self.memory, "filter": self.filter.as_dict(), "notes": list(self.notes()),
        }  # fmt: skip
        if self.switches is not None:
            found["switches"] = self.switches.as_dict()
        if self.soft is not None:
            found["network"] = self.soft.card()
        return found

    @classmethod
    def of_card(cls, content: Mapping[str, Any], artifact: Path) -> Self:
        """What the card of an artifact describes. Raises ArtifactError where its network is missing or another one."""
        switches, network = content.get("switches"), content.get("network")
        return cls(
            filter=RegimeFilter.from_dict(content["filter"]),
            memory=content["memory"],
            switches=None if switches is None else SwitchModel.from_dict(switches),
            soft=None if network is None else SoftLabels.of_card(network, artifact / FOLDER),
        )
