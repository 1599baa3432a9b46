"""The anomaly detector that a recipe names: pinned to what it is, kept from what it has learnt from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from triptych.domain import Timeframe
from triptych.domain.errors import ArtifactError
from triptych.inference.artifact import DETECTOR
from triptych.settings import Recipe, members_of

_PLACE, _HASH = "features.detector", "features.detector_hash"
_NETWORK: Final = "the network"


def pinned_detector(recipe: Recipe) -> Recipe:
    """The recipe with the place of the detector whose score it reads spelt out and its hash written down, also of its
    members.

    The hash is part of what a run is, the place is not. Raises ArtifactError when the detector is missing, damaged, or
    is another than the one whose hash is written down already.
    """

    def pinned(_: str, one: Recipe) -> tuple[str, str] | None:
        if one.features.detector is None:
            return None
        from triptych.inference.anomaly.saving import read_card, require_card  # takes a while to load

        folder = Path(one.features.detector).expanduser().absolute()
        read_card(folder)
        return str(folder), require_card(folder, one.features.detector_hash)

    return _with(recipe, pinned)


def with_own_detector(recipe: Recipe, run: Path) -> Recipe:
    """The recipe of a run that reads the detector which the run's first artifact carries, where it does.

    So a run is whole without the folder that it was trained with, and is judged by what it has really read. A member
    of a consensus reads that of its own run within.
    """

    def own(name: str, one: Recipe) -> tuple[str, str] | None:
        from triptych.inference.anomaly.saving import CARD, hash_of_card

        home = run / "members" / name if name else run
        kept = home / "folds" / "0" / "artifact" / DETECTOR
        if one.features.detector is None or not (kept / CARD).exists():
            return None
        found = hash_of_card(kept)
        return None if one.features.detector_hash not in ("", found) else (str(kept), found)

    return _with(recipe, own)


def refuse_seen_detector(recipe: Recipe, timeframe: Timeframe, start_ms: int) -> None:
    """Refuse a detector whose score a recipe of one model reads where it was fitted on the period of the test, or on
    rows of another period than the candles.

    Args:
        recipe: that names it.
        timeframe: of the candles.
        start_ms: start of the test period, the first of several, UTC milliseconds.

    Raises ArtifactError. Warns where the detector's card does not say when its rows were.
    """
    refuse_seen(recipe.features.detector, start_ms, _NETWORK)
    refuse_other_candles(recipe.features.detector, timeframe, _NETWORK)


def refuse_seen(folder: str | None, start_ms: int, what: str) -> None:
    """Refuse a detector that was fitted on candles of the period that it shall be tested on.

    Args:
        folder: of the detector; None: there is none.
        start_ms: start of the test period, UTC milliseconds.
        what: who asks the detector, for the message.

    Raises ArtifactError when its last row is not before `start_ms`. A detector whose rows had no times is warned of.
    """
    if folder is None:
        return
    from triptych.inference.anomaly.saving import read_card

    last = read_card(Path(folder)).last_time
    if last is None:
        warnings.warn(
            f"The card of {folder} does not say when the rows of its fit were: whether {what} has seen the test period "
            "cannot be told. Fit it with times.",
            stacklevel=2,
        )
        return
    start = datetime.fromtimestamp(start_ms / 1000, tz=UTC)
    if last > start:
        raise ArtifactError(
            f"The detector {folder} was fitted on rows until {last:%Y-%m-%d %H:%M}, after the start of the test "
            f"period, {start:%Y-%m-%d %H:%M}: {what} would know what is to come.",
            remedy="Fit it on rows before the test period.",
        )


def refuse_other_candles(folder: str | None, timeframe: Timeframe, what: str) -> None:
    """Refuse a detector that was fitted on rows of another period than the candles that it shall watch.

    What is usual in an hour is not what is usual in a quarter of one. Nothing is refused where there is no detector, or
    where its card does not say how far its rows were apart.

    Raises ArtifactError.
    """
    if folder is None:
        return
    from triptych.inference.anomaly.saving import read_card

    step_ms = read_card(Path(folder)).step_ms
    if step_ms is not None and step_ms != timeframe.milliseconds:
        theirs = timedelta(milliseconds=step_ms)
        raise ArtifactError(
            f"The detector {folder} was fitted on rows that are {theirs} apart; {what} has candles of {timeframe}.",
            remedy=f"Fit one on market channels of candles of {timeframe}.",
        )


def without_detector_places(content: dict[str, Any]) -> dict[str, Any]:
    """A recipe as plain values without the places of its detectors, also of members: their hashes say which they
    are."""
    found = dict(content)
    features = content.get("features")
    if isinstance(features, Mapping) and features.get("detector_hash"):
        found["features"] = {key: value for key, value in features.items() if key != "detector"}
    if content.get("members"):
        found["members"] = [_placeless(member) for member in content["members"]]
    return found


def _placeless(member: Mapping[str, Any]) -> Mapping[str, Any]:
    changes = member.get("changes", {})
    if not changes.get(_HASH):
        return member
    changes = {key: value for key, value in changes.items() if key != _PLACE}
    if isinstance(features := changes.get("features"), Mapping):
        changes["features"] = {key: value for key, value in features.items() if key != "detector"}
    return {**member, "changes": changes}


def _with(recipe: Recipe, found: Callable[[str, Recipe], tuple[str, str] | None]) -> Recipe:
    """The recipe with the place and the hash that `found` says, asked with the name of each member and its recipe, and
    with an empty name for the recipe itself."""
    if (own := found("", recipe)) is not None:
        features = recipe.features.model_copy(update={"detector": own[0], "detector_hash": own[1]})
        recipe = recipe.model_copy(update={"features": features})
    if not recipe.members:
        return recipe
    models, members = members_of(recipe), []
    for member in recipe.members:
        said = found(member.name, models[member.name])
        named = {} if said is None else {_PLACE: said[0], _HASH: said[1]}
        members.append(member.model_copy(update={"changes": {**member.changes, **named}}))
    return recipe.model_copy(update={"members": tuple(members)})
