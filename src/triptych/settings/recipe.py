"""A recipe: one experiment. Gathers the Config of every part; each stands beside what it configures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args

import tomli_w
from pydantic import Field, create_model, field_validator, model_validator

from triptych import images
from triptych.backtest import Config as BacktestConfig
from triptych.domain import Config, Timeframe
from triptych.domain.errors import DataError
from triptych.exchanges.simulated.costs import Config as CostsConfig
from triptych.features.targets import Config as TargetConfig
from triptych.images import multi_channel
from triptych.inference.combiner import LEARNED
from triptych.inference.inputs import Config as FeaturesConfig
from triptych.market import Duplicates, EpochUnit
from triptych.market.store import to_ms
from triptych.market.synthetic import Config as SyntheticConfig
from triptych.models import Config as ModelConfig
from triptych.settings.books_beside import BooksConfig
from triptych.settings.member import Member
from triptych.settings.regimes import Config as RegimeConfig
from triptych.settings.variant import Variant
from triptych.strategies import Config as StrategyConfig
from triptych.strategies.consensus import Config as ConsensusConfig
from triptych.trading.execution import Config as ExecutionConfig
from triptych.trading.guard import Config as GuardConfig
from triptych.trading.risk import Config as RiskConfig
from triptych.trading.sizing import Config as SizingConfig
from triptych.training.boosting.config import Config as BoostingConfig
from triptych.training.config import Config as TrainingConfig
from triptych.training.evaluation import Config as EvaluationConfig
from triptych.training.siamese.config import Config as SiameseConfig
from triptych.training.splits import Config as SplitConfig
from triptych.training.tasks.config import Task
from triptych.training.tuning.config import Config as TuneConfig

ENCODINGS = {
    name: create_model(
        f"{name}_encoding",
        __base__=images.load(name).Config,
        __doc__=images.load(name).__doc__,
        name=(Literal[name], Field(name, description="Which encoding draws the window.")),  # type: ignore[arg-type]
    )
    for name in images.available()
}
if TYPE_CHECKING:
    EncodingConfig = Any
else:  # a union over whatever encodings there are, chosen by name
    EncodingConfig = Annotated[Union[tuple(ENCODINGS.values())], Field(discriminator="name")]  # noqa: UP007


class DataConfig(Config):
    """Where the candles come from."""

    source: Literal["synthetic", "file", "store"] = Field(
        "synthetic",
        description="The embedded synthetic market, a file of candles (or of trades, or a recorded tape), or the local "
        "candle store. A path beside `synthetic` is refused.",
    )
    path: str | None = Field(
        None,
        description="The file (CSV, Parquet, Arrow), the folder of a recorded tape, or that of the store; relative to "
        "the working directory. Of trades, `timeframe` says how long their candles are.",
    )
    venue: str = Field(
        "local", description="Venue in the store, and the venue that imported candles are said to be from."
    )
    symbols: tuple[str, ...] = Field((), description="Instruments to take; empty takes all there are.")
    timeframe: str | None = Field(
        None, description="Candles are resampled to this timeframe, such as 1h; empty keeps theirs."
    )
    start: str | None = Field(None, description="First candle to use, UTC, such as 2021-06-30 or 2021-06-30T12:00.")
    end: str | None = Field(None, description="First candle not to use any more, UTC.")
    columns: dict[str, str] = Field(
        {}, description="Column of the file for a role: {close = 'Last', timestamp = 'Day'}."
    )
    timezone: str = Field("UTC", description="Time zone of times in the file that carry none.")
    timestamp_unit: EpochUnit | None = Field(
        None, description="Unit of epoch numbers in the file; empty tells it by their size."
    )
    duplicates: Duplicates = Field(
        "error", description="Rows of one time that differ: refuse the file, or take the first or last of them."
    )
    repair: bool = Field(False, description="Drop rows that break the rules of a candle instead of refusing the file.")
    books: BooksConfig = Field(BooksConfig(), description="Order books beside the candles.")
    synthetic: SyntheticConfig = Field(SyntheticConfig(), description="The embedded market.")

    @field_validator("start", "end", mode="before")
    @classmethod
    def _toml_dates_are_times_too(cls, value: object) -> object:
        return value.isoformat() if isinstance(value, date) else value  # a datetime is a date

    @field_validator("path")
    @classmethod
    def _nothing_is_no_path(cls, value: str | None) -> str | None:
        return value or None  # TOML knows no None: `--set data.path=` takes back the path of a recipe

    @field_validator("start", "end")
    @classmethod
    def _must_be_a_time(cls, value: str | None) -> str | None:
        _as_value_error(to_ms, value)
        return value

    @field_validator("timeframe")
    @classmethod
    def _must_be_a_timeframe(cls, value: str | None) -> str | None:
        _as_value_error(Timeframe.parse, value)
        return value

    @model_validator(mode="after")
    def _path_is_there_when_needed(self) -> DataConfig:
        if self.source != "synthetic" and not self.path:
            raise ValueError(f"source = '{self.source}' needs a path")
        if self.source == "synthetic" and self.path:
            raise ValueError(
                f"path names {self.path}, and source = 'synthetic', which is also what it is where none is named, "
                "would not read it: set source to 'file' or 'store', or for the synthetic market path to ''"
            )
        return self


def _part(value: Any, name: str) -> Mapping[str, Any]:
    """A table of a recipe that is not checked yet; empty where it is none."""
    part = value.get(name) if isinstance(value, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def _as_value_error(read: Callable[[str], object], value: str | None) -> None:
    """Read a value; pydantic names the key of a ValueError, and of no other error."""
    try:
        if value is not None:
            read(value)
    except DataError as error:
        raise ValueError(str(error).removesuffix(".")) from error


class WindowConfig(Config):
    """What a model sees of the past."""

    length: int = Field(48, ge=4, le=4096, description="Candles in a window.")
    stride: int = Field(
        1,
        ge=1,
        description="Windows to learn and to stop by end at every n-th candle, or day where features.day has hours; "
        "the test uses every one.",
    )


class Recipe(Config):
    """One experiment, from candles to report."""

    name: str = Field("experiment", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="Name of runs and models.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Seed of everything random in training.")
    data: DataConfig = Field(DataConfig(), description="Where the candles come from.")
    window: WindowConfig = Field(WindowConfig(), description="What a model sees of the past.")
    features: FeaturesConfig = Field(FeaturesConfig(), description="Factors that the network reads instead of candles.")
    encoding: EncodingConfig = Field(default_factory=lambda: ENCODINGS["candlestick"](), description="How it is drawn.")
    model: ModelConfig = Field(ModelConfig(), description="The network that reads the image.")
    target: TargetConfig = Field(TargetConfig(), description="What is to be predicted.")
    split: SplitConfig = Field(SplitConfig(), description="Which candles train, validate and test.")
    training: TrainingConfig = Field(TrainingConfig(), description="How the network is trained.")
    siamese: SiameseConfig = Field(SiameseConfig(), description="Learning likeness instead of classes.")
    boosting: BoostingConfig = Field(BoostingConfig(), description="Trees on the trained network's features.")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="How predictions are judged.")
    strategy: StrategyConfig = Field(StrategyConfig(), description="From probabilities to the wanted exposure.")
    regimes: RegimeConfig = Field(RegimeConfig(), description="How much of a wish is kept in each regime.")
    sizing: SizingConfig = Field(SizingConfig(), description="How much capital an exposure of 1 is.")
    execution: ExecutionConfig = Field(
        ExecutionConfig(), description="From wanted exposure to orders with their stops."
    )
    risk: RiskConfig = Field(RiskConfig(), description="Limits that orders are held against.")
    guard: GuardConfig = Field(GuardConfig(), description="What alarms of an anomaly detector lead to.")
    costs: CostsConfig = Field(CostsConfig(), description="Fees, spread, slippage and funding of the venue.")
    backtest: BacktestConfig = Field(BacktestConfig(), description="Capital and the accounting of luck.")
    tune: TuneConfig = Field(TuneConfig(), description="What `triptych tune` searches, and how.")
    members: tuple[Member, ...] = Field(
        (), description="Models that decide together, two or more; empty: the one model of this recipe."
    )
    consensus: ConsensusConfig = Field(ConsensusConfig(), description="How the members decide together.")
    ablation: tuple[Variant, ...] = Field((), description="Variants that `triptych ablate` holds against the recipe.")

    @model_validator(mode="before")
    @classmethod
    def _default_channels_show_the_book_that_there_is(cls, value: Any) -> Any:
        encoding, path = _part(value, "encoding"), _part(_part(value, "data"), "books").get("path")
        if encoding.get("name") != multi_channel.NAME or "channels" in encoding or path is None:
            return value
        return {**value, "encoding": {**encoding, "channels": multi_channel.beside_books()}}

    @model_validator(mode="after")
    def _one_head_for_each_question(self) -> Recipe:
        tasks = self.training.tasks.names
        if tasks and self.boosting.engine != "none":
            raise ValueError("training.tasks and boosting do not go together: trees answer the direction only")
        if self.siamese.loss != "none" and (tasks or self.boosting.engine != "none" or self.model.sequence.return_head):
            raise ValueError("siamese goes with none of training.tasks, boosting, model.sequence.return_head")
        if tasks and self.model.sequence.return_head:
            raise ValueError("training.tasks and model.sequence.return_head do not go together: name the task 'size'")
        return self

    @property
    def foretold_figures(self) -> tuple[Task, ...]:
        """Figures that the network learns to foretell beside the direction."""
        if self.model.sequence.return_head and self.training.return_weight:
            return ("size",)
        return self.training.tasks.names

    @property
    def traded_figures(self) -> tuple[Task, ...]:
        """Foretold figures that decisions are made by."""
        by_volatility = self.sizing.volatility == "foretold" and self.sizing.method != "fixed"
        asked = {self.strategy.expected_move, "volatility" if by_volatility else "none"}
        return tuple(task for task in get_args(Task) if task in asked)

    @model_validator(mode="after")
    def _what_is_traded_by_is_foretold(self) -> Recipe:
        missing = [task for task in self.traded_figures if self.members or task not in self.foretold_figures]
        if missing:
            who = "a consensus foretells no figures" if self.members else "the network does not learn to foretell it"
            raise ValueError(
                f"strategy.expected_move or sizing.volatility asks for the foretold {' and '.join(missing)}, and {who}"
                + ("" if self.members else f": name it in training.tasks.names (was {list(self.foretold_figures)})")
            )
        return self

    @model_validator(mode="after")
    def _members_fit_the_consensus(self) -> Recipe:
        names = [member.name for member in self.members]
        if not names:
            return self
        if len(names) < 2 or len(set(names)) < len(names):
            raise ValueError(f"a consensus takes two or more members with different names, was {names}")
        unknown = sorted({*self.consensus.weights, self.consensus.side or names[0]} - set(names))
        if unknown:
            raise ValueError(f"[consensus] names {', '.join(unknown)}; the members are {', '.join(names)}")
        walks = self.split.kind == "walk_forward" and self.split.folds >= 2
        if self.consensus.method in LEARNED and not walks:
            raise ValueError(
                f"consensus.method = '{self.consensus.method}' learns from out-of-fold predictions: it needs "
                "split.kind = 'walk_forward' with two folds or more"
            )
        return self

    @model_validator(mode="after")
    def _positions_outlive_a_candle(self) -> Recipe:
        daily = bool(self.features.names and self.features.day.hours)
        if daily and self.execution.without_prediction != "hold":
            raise ValueError(
                "features.day gives a prediction at a day's close only, and execution.without_prediction = "
                "'flat' would close every position one candle later; set it to 'hold'"
            )
        return self

    def to_toml(self) -> str:
        """The complete recipe with every default written out."""
        return tomli_w.dumps(_without_none(self.model_dump(mode="json")))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return [_without_none(item) for item in value] if isinstance(value, list) else value
