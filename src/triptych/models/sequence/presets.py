"""Named networks of sequences, and how large a network the labels can feed.

The sizes by horizon are common starting points, not truths: they put the largest networks where data is scarcest. Eight
blocks of 512 have some 13 million parameters, and twenty years of daily candles about 5,000 labels, hundreds of them
independent. `parameter_cap` says what they can feed; let a search begin at the small end.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, Literal

from triptych.models.checks import require_positive
from triptych.models.sequence.config import Config

Family = Literal["xlstm", "lstm", "gru", "tcn"]
SMALLEST_CAP: Final = 1_000
_NOT_SIZES: Final = frozenset({"labels_per_parameter"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """A network of sequences, all its sizes; see `Config` for their meaning."""

    name: str
    family: Family = "xlstm"
    width: int
    blocks: int
    heads: int = 4
    ratio: tuple[int, int] | None = None
    order: Literal["inner", "first", "last"] = "inner"
    slstm_at: tuple[int, ...] | None = None
    kind: Literal["residual", "large"] = "residual"
    kernel: int = 4
    soft_cap: float | None = None
    dropout: float = 0.1
    pool: Literal["last", "mean"] = "last"
    selection: bool = False
    adaptive: bool = False
    periods: tuple[int, ...] = ()
    return_head: bool = False

    @property
    def streams(self) -> bool:
        """Whether the network can be asked step by step: an xlstm that judges the last step, of one timeframe and of a
        fixed depth.
        """
        return self.family == "xlstm" and self.pool == "last" and not self.adaptive and not self.periods

    def with_wishes(self, wishes: Config, *, width: float = 1.0, depth: float = 1.0) -> Preset:
        """This preset with wishes put in; `width` and `depth` multiply the sizes that come out.

        Widths are rounded to a multiple of twice the heads, blocks to at least one. Raises RecipeError for a factor
        that is not above 0.
        """
        require_positive(width=width, depth=depth)
        given = {name: value for name, value in wishes if value is not None and name not in _NOT_SIZES}
        if "slstm_at" in given:
            given.setdefault("ratio", None)
        elif "ratio" in given or given.get("kind") == "large":
            given["slstm_at"] = None
        if given.get("kind") == "large":
            given.setdefault("ratio", None)
        changed = replace(self, **given)
        if width == 1.0 and depth == 1.0:
            return changed
        step = 2 * changed.heads
        return replace(
            changed,
            width=max(step, round(changed.width * width / step) * step) if width != 1.0 else changed.width,
            blocks=max(1, round(changed.blocks * depth)),
        )


assert {field.name for field in fields(Preset)} >= set(Config.model_fields) - _NOT_SIZES

PRESETS: Final = {
    preset.name: preset
    for preset in (
        Preset(name="xlstm_small", width=64, blocks=3, heads=2, ratio=(2, 1)),
        Preset(name="xlstm_medium", width=128, blocks=5, heads=4, ratio=(4, 1)),
        Preset(name="xlstm_large", width=256, blocks=8, heads=8, ratio=(7, 1)),
        Preset(name="xlstm_minutes", width=64, blocks=2, heads=4, ratio=(0, 1)),
        Preset(name="xlstm_intraday", width=128, blocks=4, heads=4, ratio=(1, 1)),
        Preset(name="xlstm_hours", width=256, blocks=6, heads=4, ratio=(5, 1)),
        Preset(name="xlstm_days", width=512, blocks=8, heads=8, ratio=(1, 0), dropout=0.3),
        Preset(name="xlstm_adaptive", width=64, blocks=4, heads=4, ratio=(1, 1), adaptive=True),
        Preset(name="xlstm_timeframes", width=64, blocks=2, heads=4, ratio=(1, 1), periods=(1, 4, 16)),
        Preset(name="lstm", family="lstm", width=64, blocks=2),
        Preset(name="gru", family="gru", width=64, blocks=2),
        Preset(name="tcn", family="tcn", width=64, blocks=5, kernel=3),
    )
}
"""By name. small, medium, large: sizes. minutes (1-5), intraday (15-60 minutes), hours (1-4), days (1-5): horizons."""


def parameter_cap(n_independent_labels: float, labels_per_parameter: float = 0.1) -> int:
    """The most parameters that so many independent labels may train: ten for each, and never less than 1,000.

    Labels that look `horizon` candles ahead overlap; the sum of their uniqueness says how many independent ones they
    are worth. A label of three classes carries at most ln 3 / ln 2 = 1.6 bits, and one that is foretold with an
    accuracy of 52 % about a thousandth of a bit: nothing near what would determine as many weights as there are
    labels. Networks still learn with more parameters than labels because dropout, weight decay and early stopping hold
    most weights near their first values: ten for each label is where that trust ends here, a hundred times what a
    linear model is usually allowed. It is a guard against the absurd, not a promise; below 1,000 parameters no network
    of sequences remains, and a linear model is the better choice.

    Raises RecipeError for numbers that are not above 0.
    """
    require_positive(n_independent_labels=n_independent_labels, labels_per_parameter=labels_per_parameter)
    return max(SMALLEST_CAP, int(n_independent_labels / labels_per_parameter))
