"""Saved detectors: a folder with the weights (safetensors), the ONNX graph of the network and a card.

Loading one never runs code. What is saved is the CATCH detector; baselines are fitted in seconds, from the rows.
"""

from __future__ import annotations

import hashlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError, StorageError
from triptych.domain.files import replace_folder, temporary_name
from triptych.inference.anomaly.base import AbstractDetector
from triptych.inference.anomaly.calibration import Calibration
from triptych.inference.anomaly.catch import CatchDetector, Config
from triptych.inference.anomaly.cross_channel import CrossChannel
from triptych.inference.anomaly.scaling import Scaling
from triptych.inference.anomaly.times import Span
from triptych.inference.quiet_export import quiet_export
from triptych.models.catch import build_catch

WEIGHTS, GRAPH, CARD = "weights.safetensors", "model.onnx", "card.json"
_TOLERANCE: Final = 1e-4
_MILLISECONDS: Final = 1e11  # as seconds, the year 5138: such times are milliseconds
_PLAUSIBLE: Final = 1e7  # smaller numbers count rows, or anything else that is no time
_AGAIN: Final = "Fit and save the detector again, or copy the folder anew."


class DetectorCard(BaseModel):
    """What a saved detector is. Stored as `card.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[3] = 3
    name: Literal["catch"] = "catch"
    columns: tuple[str, ...] = Field(description="Channels, in order.")
    config: Config = Field(description="Settings it was fitted with.")
    threshold: float = Field(description="Scores above are anomalies.")
    parameters: int = Field(description="Trained numbers of the network.")
    files: dict[str, str] = Field(description="SHA-256 of each file.")
    graph: str = Field(description="File of the ONNX graph, or why there is none: it then runs through torch.")
    onnx_difference: float | None = Field(
        description="Largest difference between graph and network, in deviations; none without a graph."
    )
    first_time: datetime | None = Field(None, description="Time of the first row of the fit, UTC, where it had times.")
    last_time: datetime | None = Field(None, description="Time of the last row of the fit.")
    first: float | None = Field(None, description="The first time as a number: seconds since 1970, or as it was given.")
    last: float | None = Field(None, description="The last time as a number.")
    step: float | None = Field(None, description="Usual time from row to row, in the unit of `first`.")


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

    Raises ArtifactError when the folder holds anything else (see `refuse_other_folders`), when the graph differs
    from the network, or for other detectors than CATCH, StorageError when the disk refuses. A network that cannot be
    exported (complex numbers, the reference's noise) is saved without a graph, and the card says so.
    """
    if not isinstance(detector, CatchDetector):
        raise ArtifactError(
            f"A detector of the kind {detector.name!r} is not saved: it is fitted in seconds.",
            remedy="Keep its rows and settings and fit it again, or save the CATCH detector.",
        )
    folder = Path(folder)
    refuse_other_folders(folder)
    temporary = temporary_name(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        network = detector.network.cpu().eval()
        files, graph, difference = [WEIGHTS], _no_graph(detector), None
        if not graph:
            export_onnx(detector, temporary / GRAPH)
            files, graph, difference = [GRAPH, WEIGHTS], GRAPH, _difference(detector, temporary / GRAPH)
        (temporary / WEIGHTS).write_bytes(save(_tensors(detector)))
        card = DetectorCard(
            columns=detector.columns_,
            config=detector.config,
            threshold=detector.threshold_,
            parameters=sum(p.numel() for p in network.parameters()),
            files={name: _sha256(temporary / name) for name in files},
            graph=graph,
            onnx_difference=None if difference is None else float(f"{difference:.1e}"),
            **_spanned(detector),
        )
        (temporary / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
        replace_folder(temporary, folder)
    except OSError as error:
        raise StorageError(
            f"The detector {folder} could not be written: {error.strerror or error}.",
            remedy="Free some space or choose another folder.",
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        detector.network.to(detector.config.device)
    return card


def load_detector(folder: Path, *, device: str = "cpu") -> CatchDetector:
    """Read a detector and check it against its card. It scores and streams; `fit` it anew through `create_detector`.

    Raises ArtifactError when a file is missing, was changed after saving, or is of another format.
    """
    folder = Path(folder)
    card = read_card(folder)
    for name, expected in card.files.items():
        if not (folder / name).exists():
            raise ArtifactError(f"{folder} is damaged: {name} is missing.", remedy=_AGAIN)
        if _sha256(folder / name) != expected:
            raise ArtifactError(
                f"{folder / name} is damaged: it is not the file its card was written for.", remedy=_AGAIN
            )
    try:
        tensors = load((folder / WEIGHTS).read_bytes())
        return _restore(card, tensors, device)
    except (SafetensorError, RuntimeError, KeyError) as error:
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


def export_onnx(detector: CatchDetector, path: Path) -> None:
    """Write the graph of the network: scaled windows (batch, rows, channels), float32, to their reconstructions.

    Raises ArtifactError for networks of complex numbers and for the reference, whose masks are random.
    """
    config = detector.config.network
    if _no_graph(detector):
        raise ArtifactError(
            "Only networks of real numbers with decided masks can be exported to ONNX.",
            remedy='Fit with attention = "real" and compat = "none".',
        )
    windows = torch.zeros(2, config.length, len(detector.columns_))
    windows[:, ::2] = 1.0
    with quiet_export(), torch.no_grad():
        program = torch.onnx.export(
            _Graph(detector.network), (windows,), dynamo=True, opset_version=18, verbose=False,
            input_names=["windows"], output_names=["reconstruction"],
            dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        )  # fmt: skip
        assert program is not None
        program.save(str(path), external_data=False)


def _no_graph(detector: CatchDetector) -> str:
    """Why the network has no graph; empty where it can be exported."""
    if detector.config.network.attention == "complex":
        return "none: ONNX has no complex numbers"
    if detector.config.network.compat == "reference":
        return "none: the masks of the reference are random"
    return ""


def _spanned(detector: CatchDetector) -> dict[str, Any]:
    """When the rows of the fit were, for the card."""
    span = detector.span_
    if span is None:
        return {}
    found: dict[str, Any] = {"first": span.first, "last": span.last, "step": span.step}
    for name in ("first", "last"):
        seconds = found[name] / 1000 if found[name] > _MILLISECONDS else found[name]
        if seconds > _PLAUSIBLE:
            found[f"{name}_time"] = datetime.fromtimestamp(seconds, tz=UTC)
    return found


class _Graph(nn.Module):
    """The network with windows as its only input."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, windows: Tensor) -> Tensor:
        reconstruction: Tensor = self.network(windows)
        return reconstruction


def _difference(detector: CatchDetector, path: Path) -> float:
    """Largest difference between graph and network over random windows. Raises ArtifactError above 1e-4."""
    generator = torch.Generator().manual_seed(0)
    windows = torch.randn(5, detector.memory, len(detector.columns_), generator=generator)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    from_graph = session.run(None, {"windows": windows.numpy()})[0]
    with torch.inference_mode():
        from_network = detector.network(windows).numpy()
    difference = float(np.abs(from_graph - from_network).max())
    if not difference <= _TOLERANCE:
        raise ArtifactError(
            f"The exported graph differs from the network by {difference:.2g}, more than {_TOLERANCE:.0e}.",
            remedy="Report this with the settings of the detector.",
        )
    return difference


def _tensors(detector: CatchDetector) -> dict[str, Tensor]:
    """All that was learnt, by name."""
    arrays: dict[str, NDArray[Any]] = {
        "scaling.centre": detector.scaling_.centre,
        "scaling.scale": detector.scaling_.scale,
        "calibration.centre": detector.calibration_.centre,
        "calibration.below": detector.calibration_.below,
        "calibration.above": detector.calibration_.above,
        "held_out": detector.held_out_in_order_,
        "effective": np.array([detector.effective_]),
        "decision_scores": detector.decision_scores_,
    }
    arrays |= {f"cross.{name}": value for name, value in detector.cross_.arrays().items()}
    state = {f"network.{name}": value for name, value in detector.network.state_dict().items()}
    return {name: value.contiguous() for name, value in state.items()} | {
        name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()
    }


def _restore(card: DetectorCard, tensors: dict[str, Tensor], device: str) -> CatchDetector:
    config = card.config.model_copy(update={"device": device})
    detector = CatchDetector(config, learner=_refuse_to_learn)
    detector.columns_ = card.columns
    detector.threshold_ = card.threshold
    detector.scaling_ = Scaling(
        centre=tensors["scaling.centre"].numpy(), scale=tensors["scaling.scale"].numpy(), bound=config.bound
    )
    detector.calibration_ = Calibration(
        **{part: tensors[f"calibration.{part}"].numpy() for part in ("centre", "below", "above")}
    )
    detector.held_out_in_order_ = tensors["held_out"].numpy()
    detector.held_out_scores_ = np.sort(detector.held_out_in_order_)
    if card.first is not None and card.last is not None and card.step is not None:
        detector.span_ = Span(first=card.first, last=card.last, step=card.step)
    detector.effective_ = float(tensors["effective"][0])
    detector.decision_scores_ = tensors["decision_scores"].numpy()
    detector.labels_ = (detector.decision_scores_ > detector.threshold_).astype(np.int64)
    channels = len(card.columns)
    detector.network = build_catch(channels, config.network, seed=config.seed)
    prefix = "network."
    detector.network.load_state_dict(
        {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    )
    detector.network.eval().to(device)
    learnt = {name.removeprefix("cross."): value.numpy() for name, value in tensors.items() if name[:6] == "cross."}
    detector.cross_ = CrossChannel.of_arrays(learnt, config.network.length)
    detector.prepare(channels)
    return detector


def _refuse_to_learn(*_: Any) -> None:
    raise ArtifactError(
        "A detector that was loaded cannot be fitted again.", remedy="Create a new one with the same settings."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
