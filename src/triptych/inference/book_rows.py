"""What is read off the last rows of order books at each close: walls, signs of spoofing, and what a network says."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from triptych import features
from triptych.domain import CLASSES
from triptych.domain import Config as BaseConfig
from triptych.domain.candle import BY_NETWORK
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.features.book_rows import NETWORK, WALLS
from triptych.inference.card import Card
from triptych.inference.card_reading import CARD, GRAPH, read_checked_card
from triptych.inference.predictor import OnnxPredictor
from triptych.inference.saved_files import sha256_of
from triptych.market.books.row_reading import AbstractRowReader
from triptych.market.books.spoofing import Config as SpoofingConfig
from triptych.market.books.spoofing import find_spoofing
from triptych.market.books.tape import BookTape
from triptych.market.books.walls import Config as WallsConfig
from triptych.market.books.walls import Wall, find_walls

BOOK_NETWORK: Final = "book_network"
"""Key of the features, and folder inside an artifact that carries the network."""
WALL_LEVELS: Final = 10
DECIMALS: Final = 4
"""Of a probability: the last bits of an answer are not to look like movement."""
OPEN: Final = 4
"""Networks that stay open."""


class RowsConfig(BaseConfig):
    """How walls and signs of spoofing are read beside candles."""

    every_ms: int = Field(
        1_000,
        ge=1,
        description="Milliseconds between the rows of the order book that factors of walls and spoofing read; where a "
        "recording holds one book a candle, the length of a candle.",
    )
    rows: int = Field(120, ge=22, le=100_000, description="Rows that they read at each close, the last ones up to it.")
    multiple: float = Field(8.0, gt=1, description="Least size of a wall, in median levels of its side.")
    layer_multiple: float = Field(4.0, gt=1, description="Least size of a layer of spoofing, likewise.")


class NetworkConfig(BaseConfig):
    """The network of order books whose probabilities are factors."""

    folder: str | None = Field(
        None,
        description="Folder of a run of `triptych books train`, or of its artifact: at each close it reads its last "
        "rows of the recording, and its probabilities are the factors of the set `book_network`; the trained artifact "
        "carries a copy. Empty: none.",
    )
    hash: str = Field(
        "",
        description="SHA-256 of the network's card. A run writes it down, so that another network in the same folder "
        "is noticed; nothing needs to be said here.",
    )


class WallReader(AbstractRowReader):
    """The nearest standing wall of each side, and the highest score of spoofing.

    A wall's distance is in basis points of the mid, of a side without one that of its deepest level; its size is the
    logarithm of its multiple of a usual level, its age the share of the rows it has stood for, both 0 without one.
    Spoofing is scored without trades, by four of the five marks.
    """

    names = WALLS
    levels = WALL_LEVELS

    def __init__(self, config: RowsConfig) -> None:
        self.every_ms, self.rows = config.every_ms, config.rows
        self.identity = f"walls {json.dumps(config.model_dump(mode='json'), sort_keys=True)}"
        # In median levels of the side, as the networks that are saved have learned to read them.
        self._walls = WallsConfig(multiple=config.multiple, usual="side")
        self._spoofing = SpoofingConfig(walls=WallsConfig(multiple=config.layer_multiple, usual="side"), threshold=1e-6)

    def read(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        bid_prices, bid_sizes, ask_prices, ask_sizes = np.split(rows, 4, axis=1)
        tape = BookTape(
            symbol="", time_ms=np.arange(len(rows)), bid_prices=bid_prices, bid_sizes=bid_sizes,
            ask_prices=ask_prices, ask_sizes=ask_sizes,
        )  # fmt: skip
        walls = find_walls(tape, self._walls)
        alarms = find_spoofing(tape, None, self._spoofing)
        found: list[float] = []
        for side, prices in ((1, bid_prices[-1]), (-1, ask_prices[-1])):
            found += self._nearest(walls, side, prices, float(tape.mid[-1]))
        found += [max((one.score for one in alarms if one.side == side), default=0.0) for side in (1, -1)]
        return np.array(found)

    def _nearest(
        self, walls: Iterable[Wall], side: int, prices: NDArray[np.float64], mid: float
    ) -> tuple[float, float, float]:
        standing = [one for one in walls if one.side == side and one.last == self.rows - 1]
        if not standing:
            return abs(float(np.nanmin(side * prices)) * side - mid) / mid * 1e4, 0.0, 0.0
        one = min(standing, key=lambda wall: abs(wall.price - mid))
        return abs(one.price - mid) / mid * 1e4, float(np.log(one.multiple)), one.rows / self.rows


class NetworkReader(AbstractRowReader):
    """The probabilities that a network of order books gives to sell, hold and buy, by ONNX Runtime on one thread.

    Each window is asked about by itself: the last bits of an answer depend on the size of its batch.
    """

    names = tuple(f"{BY_NETWORK}{one}" for one in NETWORK)

    def __init__(self, folder: Path, card: Card, identity: str) -> None:
        self.rows, self.levels, self.every_ms = card.length, card.columns // 4, int(card.target["every_ms"])
        self.identity, self.folder, self._card = identity, folder, card
        self._predictor: OnnxPredictor | None = None

    def read(self, rows: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._predictor is None:
            self._predictor = OnnxPredictor(
                self.folder / GRAPH, length=self.rows, width=self._card.columns, name=self._card.name, threads=1,
                providers=("CPUExecutionProvider",),
            )  # fmt: skip
        said = self._predictor.probabilities(rows.astype(np.float32)[None])[0]
        rounded: NDArray[np.float64] = np.round(said.astype(np.float64), DECIMALS)
        return rounded


def readers_of(names: tuple[str, ...], rows: RowsConfig, network: NetworkConfig) -> tuple[AbstractRowReader, ...]:
    """Who must read the rows of order books for factors and sets of factors.

    Raises RecipeError where a network is named and not read, or read and not named, ArtifactError for a folder without
    a network of order books, or with another one than was written down.
    """
    read = {features.describe(one).notes for one in features.resolve(names)} if names else set()
    if "network" in read and network.folder is None:
        raise RecipeError(
            "The factors read what a network of order books says, and features.book_network.folder names none.",
            remedy="Name the folder of a run of `triptych books train`.",
        )
    if network.folder is not None and "network" not in read:
        raise RecipeError(
            "features.book_network names a network that no factor reads.",
            remedy="Put the set `book_network` among features.names, or leave features.book_network out.",
        )
    found: list[AbstractRowReader] = [WallReader(rows)] if "walls" in read else []
    return (*found, open_book_network(network)) if network.folder is not None else tuple(found)


def book_artifact_in(folder: Path) -> Path:
    """The artifact of a run of `triptych books train`, or the folder itself."""
    return folder / "artifact" if (folder / "artifact").is_dir() else folder


def book_hash_of(folder: Path) -> str:
    """SHA-256 of a network of order books: of its card, which holds the hashes of its files."""
    return sha256_of(book_artifact_in(folder) / CARD)


def book_card(folder: Path) -> Card:
    """The card of a network of order books that may be asked beside candles, checked.

    Raises ArtifactError for a folder without one, a damaged one, or one whose rows are no rhythm of time.
    """
    card = read_checked_card(book_artifact_in(folder))
    if card.target.get("kind") != "book_mid":
        raise ArtifactError(
            f"{folder} holds no network of order books.", remedy="Name the folder of a run of `triptych books train`."
        )
    if not card.target.get("every_ms"):
        raise ArtifactError(
            f"The network in {folder} read books at no fixed distance in time, and candles close by the clock.",
            remedy="Train it with data.every_ms, such as `--set data.every_ms=100`.",
        )
    return card


_open: OrderedDict[str, NetworkReader] = OrderedDict()


def open_book_network(config: NetworkConfig) -> NetworkReader:
    """The reader of a network; folders that hold the same one share it, and the last four stay open.

    Raises ArtifactError as `book_card` does, and for another network than the one whose hash is written down.
    """
    folder = Path(config.folder or "")
    card, digest = book_card(folder), book_hash_of(folder)
    if config.hash and config.hash != digest:
        raise another_network(folder)
    found = _open.pop(digest, None)
    if found is None or not found.folder.is_dir():  # the copy that was opened first may be gone
        found = NetworkReader(book_artifact_in(folder), card, digest)
    _open[digest] = found
    while len(_open) > OPEN:
        _open.popitem(last=False)
    return found


def another_network(folder: Path) -> ArtifactError:
    """What is said of a folder that holds another network than was written down."""
    return ArtifactError(
        f"{folder} holds another network than the one the recipe was made with.",
        remedy="Bring that network back, or empty features.book_network.hash and train a run of its own.",
    )


assert len(NETWORK) == len(CLASSES)
