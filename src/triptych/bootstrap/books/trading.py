"""A network of order books traded as it is: a run of candles is made beside it, whose only factors are what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from triptych.bootstrap.book_networks import taught_until_ms
from triptych.bootstrap.books.place import RESULT
from triptych.bootstrap.candles import Candles, load_candles
from triptych.bootstrap.run_folder import TRADED, Run
from triptych.bootstrap.telling import Tell, silent
from triptych.bootstrap.training import train
from triptych.domain import utc
from triptych.domain.errors import RunError
from triptych.inference.book_rows import book_card
from triptych.inference.inputs import Config as FeaturesConfig
from triptych.market.tapes import is_tape
from triptych.settings import Recipe, load_recipe
from triptych.settings.overrides import key_and_value
from triptych.training.splits import Config as SplitConfig

RECIPE: Final = "book_network"
SECOND_MS: Final = 1_000


def is_book_run(folder: Path) -> bool:
    """Whether a folder holds a run of `triptych books train`."""
    return (folder / RESULT).exists() and (folder / "artifact").is_dir()


def trading_run(
    folder: Path, data: Path | None, books: Sequence[Path], *, overrides: Sequence[str] = (), tell: Tell = silent
) -> Run:
    """Make the run of candles that trades a network of order books; it lies in `trading` beside the network.

    The recipe is the shipped `book_network`. Only closes after the last book that taught the network count: the first
    of them recalibrate its probabilities to the label of the candles, the rest is the test. The label looks as far
    ahead as the network's, in whole candles, at least one.

    Args:
        folder: of the run of `triptych books train`.
        data: file of candles or of trades, or a tape.
        books: recordings beside them, one an instrument; none: the tape itself.
        overrides: changes of the recipe.
        tell: told every stage in words.

    Raises RunError for a folder without such a run, and what `train` raises.
    """
    if not is_book_run(folder):
        raise RunError(
            f"{folder} holds no run of `triptych books train`.",
            remedy="--data and --book are for such a run; of every other the candles and books are known.",
        )
    if data is None:
        raise RunError(f"Books alone cannot be traded on {folder}.", remedy="Name the candles: --data FILE.")
    if not books and not is_tape(data):
        raise RunError(
            f"The network in {folder} reads order books, and {data} holds none.",
            remedy="Name the recordings beside the candles: --book FILE.",
        )
    card = book_card(folder)
    changes: dict[str, Any] = {
        "data.source": "file",
        "data.path": str(data),
        "data.books.path": _places(books or [data], card.symbols),
        "features.book_network.folder": str(folder),
    }
    said = [".".join(key_and_value(one)[0]) for one in overrides]
    first = load_recipe(RECIPE, overrides, _unsaid(changes, said))
    candles = _candles_alone(first)
    ahead_ms = int(card.target["horizon"]) * int(card.target["every_ms"])
    changes["target.horizon"] = max(1, -(-ahead_ms // candles.timeframe.milliseconds))
    if not {"split", *(f"split.{one}" for one in ("train", "validation", "test", "samples_from"))} & set(said):
        changes |= _split_behind(candles, taught_until_ms(folder), first.split, folder)
    recipe = load_recipe(RECIPE, overrides, _unsaid(changes, said))
    return train(recipe, folder=folder / TRADED, fresh=True, tell=tell, progress_bar=False)


def _places(books: Sequence[Path], symbols: Sequence[str]) -> str | Mapping[str, str]:
    """One recording as it is; of several, the one whose name holds the instrument's."""
    if len(books) == 1:
        return str(books[0])
    found = {symbol: str(one) for symbol in symbols for one in books if symbol.lower() in one.name.lower()}
    if len(found) < len(books):
        raise RunError(
            f"It cannot be told which instrument each of {', '.join(one.name for one in books)} is of.",
            remedy="Name the instrument in the file's name, or say so by --set data.books.path='{SYMBOL = \"FILE\"}'.",
        )
    return found


def _unsaid(changes: Mapping[str, Any], said: Sequence[str]) -> dict[str, Any]:
    """The changes of keys about which the user said nothing, themselves, above or below."""

    def is_said(key: str) -> bool:
        return any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in said)

    return {key: value for key, value in changes.items() if not is_said(key)}


def _candles_alone(recipe: Recipe) -> Candles:
    """The recipe's candles, without the books."""
    plain = FeaturesConfig(names=("return_1",), normalisation="none")
    return load_candles(recipe.model_copy(update={"features": plain}))


def _split_behind(candles: Candles, taught_ms: int, split: SplitConfig, folder: Path) -> dict[str, Any]:
    """The recipe's shares of what comes after the network was taught; the candles before it only warm figures up.

    Raises RunError where nothing is left.
    """
    closes = np.unique(np.concatenate([one.close_time_ms for one in candles.series]))
    before = float(np.mean(closes < taught_ms))
    if before == 1.0:
        raise RunError(
            f"The network in {folder} was taught by order books until {utc(taught_ms)} UTC, and no candle closes after "
            f"that: the last one does at {utc(int(closes[-1]))}.",
            remedy="Bring later candles, and the books beside them.",
        )
    validation, test = (round((1.0 - before) * share, 9) for share in (split.validation, split.test))
    return {
        "split.train": 1.0 - validation - test, "split.validation": validation, "split.test": test,
        "split.samples_from": utc(-(-taught_ms // SECOND_MS) * SECOND_MS),
    }  # fmt: skip
