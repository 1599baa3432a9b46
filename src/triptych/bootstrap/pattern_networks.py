"""The networks of patterns that a recipe names: pinned to what they are, kept from what they have learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from triptych.domain import utc
from triptych.domain.errors import ArtifactError, RecipeError
from triptych.inference.pattern_card import hash_of, read_pattern_card
from triptych.inference.pattern_factors import NETWORKS
from triptych.settings import Recipe, members_of

TRAIN_ONE = (
    "Train one with `triptych patterns train --out DIR` or `triptych patterns train-candles FILE --out DIR`, and add "
    "--set 'features.pattern_networks.folders=[\"DIR\"]'."
)


def lacks_networks(recipe: Recipe) -> str:
    """Why the networks of patterns that a recipe, or a member of it, reads cannot be had; empty where they are named.

    In words, as a sentence.
    """
    for one in members_of(recipe).values() or (recipe,):
        if one.features.pattern_networks.use and not one.features.pattern_networks.folders:
            return f"{one.name} reads a network of patterns, and features.pattern_networks.folders names none."
    return ""


def unread_note(recipe: Recipe) -> str:
    """Which networks of patterns a recipe names and does not read, as a sentence; empty where it reads all of them."""
    config = recipe.features.pattern_networks
    if config.use is not False or not config.folders:
        return ""
    return (
        f"Not read: {', '.join(map(str, config.folders))}, since features.pattern_networks.use is false here. "
        "features.pattern_networks.use=true reads them, and so do those variants of `triptych ablate` that say so."
    )


def pinned(recipe: Recipe) -> Recipe:
    """The recipe with the folders of its networks spelt out and their hashes written down; none where it uses none.

    The hash is part of what a run is, the place is not. Where the recipe says that networks are used, its encoding
    draws as many factors as are read with them. Raises ArtifactError when a network is missing, damaged, or another
    than the one whose hash is written down already, RecipeError when none is named and the recipe uses them.
    """
    config = recipe.features.pattern_networks
    if lacking := lacks_networks(recipe):
        raise RecipeError(lacking, remedy=TRAIN_ONE)
    if config.use is False and config.folders:
        return _with(recipe, folders=(), hashes=())
    if not config.folders:
        return recipe
    folders = tuple(Path(folder).expanduser().absolute() for folder in config.folders)
    for folder in folders:
        read_pattern_card(folder)
    hashes = tuple(hash_of(folder) for folder in folders)
    for folder, expected, found in zip(folders, config.hashes, hashes, strict=False):
        if expected != found:
            raise ArtifactError(
                f"{folder} holds another network than the one the recipe was made with.",
                remedy="Bring that network back, or empty features.pattern_networks.hashes and train a run of its own.",
            )
    named = _with(recipe, folders=tuple(map(str, folders)), hashes=hashes)
    return _drawing_all(named) if config.use and hasattr(recipe.encoding, "factors") else named


def _drawing_all(recipe: Recipe) -> Recipe:
    from triptych.inference import FactorRows  # loads the libraries of networks

    encoding = recipe.encoding.model_copy(update={"factors": len(FactorRows(recipe.features).columns)})
    return recipe.model_copy(update={"encoding": encoding})


def with_own_copies(recipe: Recipe, artifact: Path) -> Recipe:
    """The recipe of a run that reads the networks which an artifact of the run carries, where it does.

    So a run is whole without the folders that it was trained with.
    """
    kept = artifact / NETWORKS
    if not recipe.features.pattern_networks.folders or not kept.is_dir():
        return recipe
    by_hash = {hash_of(folder): str(folder) for folder in sorted(kept.iterdir())}
    config = recipe.features.pattern_networks
    if not all(one in by_hash for one in config.hashes):
        return recipe
    return _with(recipe, folders=tuple(by_hash[one] for one in config.hashes))


def refuse_taught(recipe: Recipe, start_ms: int) -> None:
    """Refuse networks of patterns that were taught by candles of the period that the recipe is tested on.

    Args:
        recipe: that names them.
        start_ms: start of the test period, UTC milliseconds.

    Networks that were taught on generated charts have seen no period. Raises ArtifactError when the last candle that
    taught one, of whatever instrument, closed after `start_ms`.
    """
    for folder in recipe.features.pattern_networks.folders:
        card = read_pattern_card(Path(folder))
        until_ms = card.taught_until_ms
        if until_ms is not None and until_ms > start_ms:
            raise ArtifactError(
                f"The network {folder} was taught by candles of {', '.join(card.symbols)} until {utc(until_ms)}, "
                f"after the start of the test period, {utc(start_ms)}: the recipe's network would know what is to "
                "come.",
                remedy="Teach it by candles before the test period, or test the recipe on later ones.",
            )


def place_free(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe as plain values without the places of its networks: their hashes say which they are."""
    features = content.get("features", {})
    networks = features.get(NETWORKS)
    if not isinstance(networks, Mapping):
        return content
    rest = {key: value for key, value in networks.items() if key != "folders" or not networks.get("hashes")}
    return {**content, "features": {**features, NETWORKS: rest}}


def _with(recipe: Recipe, **changes: Any) -> Recipe:
    networks = recipe.features.pattern_networks.model_copy(update=changes)
    return recipe.model_copy(update={"features": recipe.features.model_copy(update={NETWORKS: networks})})
