"""Saved detectors: a folder with all that was learnt (safetensors), the ONNX graph of CATCH's network and a card.

Loading one never runs code.
"""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from triptych.domain.errors import ArtifactError, RecipeError
from triptych.domain.files import writing_folder
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.baselines import BASELINES
from triptych.inference.anomaly.blend import BlendConfig, BlendDetector
from triptych.inference.anomaly.catch import CatchDetector
from triptych.inference.anomaly.catch import Config as CatchConfig
from triptych.inference.anomaly.graph import difference_of, export_onnx, why_no_graph
from triptych.inference.anomaly.instants import Clock, scale_of
from triptych.inference.anomaly.scaling import Scaling
from triptych.inference.anomaly.thresholds import Config as ThresholdConfig
from triptych.inference.anomaly.times import Span, rows_per_day_at
from triptych.inference.saved_files import refuse_damaged, sha256_of

WEIGHTS, GRAPH, CARD = "weights.safetensors", "model.onnx", "card.json"
_LEARNT: Final = "learnt."
_COUNTS_BELOW: Final = 1e7  # in cards without a clock: smaller numbers count rows, or anything else that is no time
_AGAIN: Final = "Fit and save the detector again, or copy the folder anew."


class Member(BaseModel):
    """A detector within a blend."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["catch", "zscore", "pca", "isolation_forest", "kmeans"] = Field(description="Which detector.")
    config: dict[str, Any] = Field(description="Settings it was fitted with.")


class DetectorCard(BaseModel):
    """What a saved detector is. Stored as `card.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[4] = 4
    name: Literal["catch", "blend", "zscore", "pca", "isolation_forest", "kmeans"] = Field(
        description="Which detector."
    )
    columns: tuple[str, ...] = Field(description="Channels, in order.")
    config: dict[str, Any] = Field(description="Settings it was fitted with.")
    members: tuple[Member, ...] = Field((), description="Detectors that a blend is made of.")
    time: str | None = Field(None, description="Column of times of the rows of the fit.")
    entity: str | None = Field(None, description="Column of the fit that said what a row belongs to.")
    threshold: float = Field(description="Scores above are anomalies.")
    watch: ThresholdConfig | None = Field(
        None, description="How the threshold moves by which the rows after the fit were watched."
    )
    parameters: int = Field(description="Learnt numbers; those of the network where there is one.")
    files: dict[str, str] = Field(description="SHA-256 of each file.")
    graph: str = Field(description="File of the ONNX graph, or why there is none: it then runs through torch.")
    onnx_difference: float | None = Field(
        description="Largest difference between graph and network, in deviations; none without a graph."
    )
    first_time: datetime | None = Field(None, description="Time of the first row of the fit, UTC, where it had times.")
    last_time: datetime | None = Field(None, description="Time of the last row of the fit.")
    clock: Clock | None = Field(
        None, description="`utc`: times are milliseconds since 1970. `count`: they count something of their own."
    )
    first: float | None = Field(None, description="The first time as a number, see `clock`.")
    last: float | None = Field(None, description="The last time as a number.")
    step: float | None = Field(None, description="Usual time from row to row, in the unit of `first`.")
    rows_per_day: float | None = Field(None, description="Rows of a day by their times, see `Span`.")
    steps: dict[str, float] = Field({}, description="The same of entities whose step is another one.")

    @property
    def step_ms(self) -> int | None:
        """The usual time from row to row in milliseconds; None where the rows had no times that can be read."""
        span = self.span
        return None if span is None or span.clock == "count" else round(span.step)

    @property
    def span(self) -> Span | None:
        """When the rows of the fit were; a card without a clock has seconds or milliseconds since 1970."""
        if self.first is None or self.last is None or self.step is None:
            return None
        if self.clock is not None:
            rows = self.rows_per_day
            if rows is None and self.clock == "utc":  # a card that was written before they were counted
                rows = rows_per_day_at(self.step)
            return Span(
                first=self.first, last=self.last, step=self.step, clock=self.clock, rows_per_day=rows, steps=self.steps
            )
        if self.first <= _COUNTS_BELOW:
            return Span(first=self.first, last=self.last, step=self.step, clock="count")
        scale = scale_of(self.first)
        step = scale * self.step
        return Span(first=scale * self.first, last=scale * self.last, step=step, rows_per_day=rows_per_day_at(step))


def refuse_other_folders(folder: Path) -> None:
    """Raise ArtifactError unless a detector may be written to `folder`: absent, empty, or a detector itself."""
    folder = Path(folder)
    if folder.resolve() == Path.cwd().resolve() or folder.resolve() in Path.cwd().resolve().parents:
        raise ArtifactError(
            f"{folder} is the folder that the command runs in, or one above it.",
            remedy="Name a folder of its own for the detector.",
        )
    if folder.is_dir():
        held = sorted(path.name for path in folder.iterdir())
        if not held:
            return
        if CARD in held:
            try:
                DetectorCard.model_validate_json((folder / CARD).read_bytes())
            except ValidationError:
                pass
            else:
                others = [name for name in held if name not in (WEIGHTS, GRAPH, CARD)]
                if not others:
                    return
                held = others
    elif not folder.exists():
        return
    else:
        held = [folder.name]
    raise ArtifactError(
        f"{folder} is there and holds {held[0]}, which is no part of a detector of this version: it would be lost.",
        remedy="Choose another folder, or remove that one yourself.",
    )


def save_detector(folder: Path, detector: AbstractDetector) -> DetectorCard:
    """Write a fitted detector: complete or not at all; one that is there is replaced.

    Raises ArtifactError when the folder holds anything else (see `refuse_other_folders`) or when the graph differs
    from the network, StorageError when the disk refuses. Only the network of CATCH alone has a graph, and one that
    cannot be exported (complex numbers, the reference's noise) has none; the card says so.
    """
    folder = Path(folder)
    refuse_other_folders(folder)
    try:
        with writing_folder(folder, "detector") as temporary:
            return _fill(temporary, detector)
    finally:
        if isinstance(detector, CatchDetector):
            detector.network.to(detector.config.device)


def _fill(temporary: Path, detector: AbstractDetector) -> DetectorCard:
    files, graph, difference = [WEIGHTS], why_no_graph(detector), None
    if not graph:
        assert isinstance(detector, CatchDetector)
        detector.network.cpu()
        export_onnx(detector, temporary / GRAPH)
        files, graph, difference = [GRAPH, WEIGHTS], GRAPH, difference_of(detector, temporary / GRAPH)
    (temporary / WEIGHTS).write_bytes(save(_tensors(detector)))
    card = DetectorCard.model_validate(
        {
            "name": detector.name,
            "columns": detector.columns_,
            "time": detector.time_,
            "entity": detector.entity_,
            "watch": detector.watch_,
            "config": detector.config.model_dump(mode="json"),
            "members": [
                {"name": one.name, "config": one.config.model_dump(mode="json")}
                for one in getattr(detector, "members", ())
            ],
            "threshold": detector.threshold_,
            "parameters": detector.parameters,
            "files": {name: sha256_of(temporary / name) for name in files},
            "graph": graph,
            "onnx_difference": None if difference is None else float(f"{difference:.1e}"),
            **_spanned(detector),
        }
    )
    (temporary / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def load_detector(folder: Path, *, device: str = "cpu") -> AbstractDetector:
    """Read a detector and check it against its card. It scores and streams; `fit` it anew through `create_detector`.

    Raises ArtifactError when a file is missing, was changed after saving, or is of another format.
    """
    folder = Path(folder)
    card = read_card(folder)
    refuse_damaged(folder, card.files, remedy=_AGAIN)
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        return _restore(card, tensors, device)
    except (SafetensorError, RuntimeError, KeyError, ValidationError, RecipeError) as error:
        raise ArtifactError(f"{folder / WEIGHTS} does not fit the card: {error}", remedy=_AGAIN) from error


def read_card(folder: Path) -> DetectorCard:
    """The card of a saved detector. Raises ArtifactError when it is missing or of another format."""
    try:
        return DetectorCard.model_validate_json((folder / CARD).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(f"{folder} is no detector: {CARD} is missing.", remedy=_AGAIN) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ArtifactError(f"{folder / CARD} cannot be read: {place}: {first['msg']}.", remedy=_AGAIN) from error


def hash_of_card(folder: Path) -> str:
    """What tells a saved detector from others: the SHA-256 of its card, which holds those of its files. Raises
    ArtifactError where there is none."""
    if not (folder / CARD).is_file():
        raise ArtifactError(f"{folder} is no detector: {CARD} is missing.", remedy=_AGAIN)
    return sha256_of(folder / CARD)


def require_card(folder: Path, expected: str) -> str:
    """The hash of a detector's card. Raises ArtifactError where it is not the `expected` one; empty: any will do."""
    found = hash_of_card(folder)
    if expected not in ("", found):
        raise ArtifactError(
            f"{folder} holds another detector than the one the recipe was made with.",
            remedy="Bring that detector back, or empty features.detector_hash and train a run of its own.",
        )
    return found


def _spanned(detector: AbstractDetector) -> dict[str, Any]:
    """When the rows of the fit were, for the card."""
    span = detector.span_
    if span is None:
        return {}
    found: dict[str, Any] = {
        "first": span.first, "last": span.last, "step": span.step, "clock": span.clock,
        "rows_per_day": span.rows_per_day, "steps": dict(span.steps),
    }  # fmt: skip
    if span.clock == "utc":
        for name in ("first", "last"):
            found[f"{name}_time"] = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=found[name])
    return found


def fingerprint(detector: AbstractDetector) -> str:
    """What tells a fitted detector from any other, also after saving and loading: a SHA-256 of its settings and all
    that it has learnt. Where it computes and whether gaps break its rows are left out: neither is learnt."""
    settings = detector.config.model_dump(mode="json", exclude={"device", "breaks"})
    said = json.dumps([detector.name, detector.columns_, settings, repr(detector.threshold_)], sort_keys=True)
    return hashlib.sha256(said.encode() + save(_tensors(detector))).hexdigest()


def _tensors(detector: AbstractDetector) -> dict[str, Tensor]:
    """All that was learnt, by name."""
    arrays: dict[str, NDArray[Any]] = {
        "scaling.centre": detector.scaling_.centre,
        "scaling.scale": detector.scaling_.scale,
        "held_out": detector.held_out_in_order_,
        "effective": np.array([detector.effective_]),
        "reach": np.array([detector.reach_]),
        "learnt_scores": detector.learnt_scores_,
        "decision_scores": detector.decision_scores_,
    }
    arrays |= {f"{_LEARNT}{name}": value for name, value in detector.arrays().items()}
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}


def _restore(card: DetectorCard, tensors: dict[str, Tensor], device: str) -> AbstractDetector:
    detector = _blank(card, device)
    detector.columns_ = card.columns
    detector.threshold_ = card.threshold
    detector.scaling_ = Scaling(
        centre=tensors["scaling.centre"].numpy(), scale=tensors["scaling.scale"].numpy(), bound=detector.config.bound
    )
    detector.held_out_in_order_ = tensors["held_out"].numpy()
    detector.held_out_scores_ = np.sort(detector.held_out_in_order_)
    detector.span_, detector.time_, detector.entity_ = card.span, card.time, card.entity
    detector.watch_ = card.watch
    detector.effective_ = float(tensors["effective"][0])
    # Folders that were written before these were known keep the threshold they were given.
    detector.reach_ = float(tensors["reach"][0]) if "reach" in tensors else math.inf
    detector.learnt_scores_ = tensors["learnt_scores"].numpy() if "learnt_scores" in tensors else np.zeros(0)
    detector.decision_scores_ = tensors["decision_scores"].numpy()
    detector.labels_ = (detector.decision_scores_ > detector.threshold_).astype(np.int64)
    detector.restore(
        {name.removeprefix(_LEARNT): value.numpy() for name, value in tensors.items() if name.startswith(_LEARNT)}
    )
    return detector


def _blank(card: DetectorCard | Member, device: str) -> AbstractDetector:
    """A detector with the card's settings that has learnt nothing."""
    if card.name == "blend":
        assert isinstance(card, DetectorCard)
        members = [_blank(member, device) for member in card.members]
        return BlendDetector(BlendConfig(**card.config), members=members)
    if card.name == "catch":
        return CatchDetector(CatchConfig(**(card.config | {"device": device})), learner=_refuse_to_learn)
    made: AbstractDetector = BASELINES[card.name](None, **card.config)  # type: ignore[call-arg]
    return made


def _refuse_to_learn(*_: Any) -> None:
    raise ArtifactError(
        "A detector that was loaded cannot be fitted again.", remedy="Create a new one with the same settings."
    )
