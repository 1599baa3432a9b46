"""The network of order books that a recipe names: pinned to what it is, kept from what it has learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.domain import utc
from triptych.domain.errors import ArtifactError
from triptych.inference.book_rows import (
    BOOK_NETWORK,
    NetworkConfig,
    another_network,
    book_artifact_in,
    book_card,
    book_hash_of,
)
from triptych.settings import Recipe


def pinned_book_network(recipe: Recipe) -> Recipe:
    """The recipe with the place of its network of order books spelt out and its hash written down.

    The hash is part of what a run is, the place is not. Raises ArtifactError when the network is missing, damaged,
    cannot be asked beside candles, or is another than the one whose hash is written down already.
    """
    config = recipe.features.book_network
    if config.folder is None:
        return recipe
    folder = book_artifact_in(Path(config.folder).expanduser().absolute())
    book_card(folder)
    found = book_hash_of(folder)
    if config.hash and config.hash != found:
        raise another_network(folder)
    return _with(recipe, NetworkConfig(folder=str(folder), hash=found))


def with_own_book_network(recipe: Recipe, artifact: Path) -> Recipe:
    """The recipe of a run that reads the network which an artifact of the run carries, where it does.

    So a run is whole without the folder that it was trained with.
    """
    config, kept = recipe.features.book_network, artifact / BOOK_NETWORK
    if config.folder is None or not kept.is_dir() or book_hash_of(kept) != config.hash:
        return recipe
    return _with(recipe, NetworkConfig(folder=str(kept), hash=config.hash))


def refuse_taught_by_books(recipe: Recipe, start_ms: int) -> None:
    """Refuse a network of order books that was taught by books of the period that the recipe is tested on.

    Args:
        recipe: that names it.
        start_ms: start of the test period, UTC milliseconds.

    Raises ArtifactError when the last book that weights or the epoch were chosen by, of whatever instrument, is later.
    """
    folder = recipe.features.book_network.folder
    if folder is None:
        return
    card = book_card(Path(folder))
    until_ms = taught_until_ms(Path(folder))
    if until_ms > start_ms:
        raise ArtifactError(
            f"The network {folder} was taught by order books of {', '.join(card.symbols)} until {utc(until_ms)}, after "
            f"the start of the test period, {utc(start_ms)}: the recipe's network would know what is to come.",
            remedy="Teach it by books before the test period, or test the recipe on later candles.",
        )


def taught_until_ms(folder: Path) -> int:
    """The moment behind the last book that taught a network of order books, UTC ms. Raises ArtifactError."""
    return int(book_card(folder).target["taught_until_ms"])


def without_place(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe as plain values without the place of its network of order books: its hash says which it is."""
    features = content.get("features", {})
    network = features.get(BOOK_NETWORK)
    if not isinstance(network, Mapping):
        return content
    rest = {key: value for key, value in network.items() if key != "folder" or not network.get("hash")}
    return {**content, "features": {**features, BOOK_NETWORK: rest}}


def _with(recipe: Recipe, network: NetworkConfig) -> Recipe:
    return recipe.model_copy(update={"features": recipe.features.model_copy(update={BOOK_NETWORK: network})})
