"""Artifacts: a folder with the weights (safetensors), the ONNX graph and the card. Loading one never runs code."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from triptych.domain.errors import ArtifactError, RecipeError
from triptych.domain.files import write_text, writing_folder
from triptych.images import create_encoding
from triptych.inference.base import AbstractPredictor
from triptych.inference.book_rows import BOOK_NETWORK, NetworkConfig, book_hash_of, open_book_network
from triptych.inference.boosted import empty_boosted
from triptych.inference.card import Card
from triptych.inference.card_reading import AGAIN, CARD, GRAPH, WEIGHTS, in_words, read_checked_card
from triptych.inference.classifier import WindowClassifier
from triptych.inference.columns import BookNeed
from triptych.inference.compiled_step import CompiledStep, compiles
from triptych.inference.export import TOLERANCE, export_onnx, largest_difference
from triptych.inference.factors import FactorPredictor
from triptych.inference.inputs import Config as FeaturesConfig
from triptych.inference.inputs import FactorRows
from triptych.inference.pattern_factors import NETWORKS, carry_networks
from triptych.inference.predictor import OnnxPredictor, TorchPredictor
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.saved_files import sha256_of
from triptych.inference.seen import SeenFactors
from triptych.inference.soft_labels import FOLDER as REGIMES
from triptych.inference.soft_labels import carry_network
from triptych.inference.step import AbstractStep, OnnxStep, TorchStep, export_step, streams
from triptych.inference.streaming import StreamingPredictor
from triptych.models import create_model
from triptych.models.multi_task import MultiTaskNetwork
from triptych.models.siamese import SiameseNetwork

STEP = "step.onnx"
DETECTOR = "detector"
"""Folder inside an artifact that carries the anomaly detector whose score the network reads."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A saved model, checked: its files are the ones the card was written for."""

    folder: Path
    card: Card

    @property
    def companions(self) -> tuple[str, ...]:
        """Other instruments whose candles the model looks at."""
        return tuple(self.card.features.get("companions", ()))

    @property
    def books(self) -> BookNeed | None:
        """The order books that must stand beside the candles; None: the model reads none."""
        said = self.card.books
        if not said:
            return None
        readers = FeaturesConfig(**self._features()).readers if self.card.features else ()
        return BookNeed(
            levels=said["levels"], max_age_ms=said["max_age_ms"], companions=bool(said.get("companions", 0)),
            readers=readers,
        )  # fmt: skip

    def classifier(self) -> WindowClassifier:
        """The network with its encoding and its weights, in evaluation mode, on the CPU.

        Raises ArtifactError when the weights do not fit the network the card describes.
        """
        try:
            encoding = create_encoding(length=self.card.length, **self.card.encoding)
            network = create_model(
                in_chans=encoding.channels,
                num_classes=self.card.siamese.get("dimension", len(self.card.classes) + len(self.card.tasks)),
                pretrained=False,  # whatever the card says: loading fetches nothing
                checkpoint_path="",
                **self.card.model,
            )
        except (RecipeError, ValidationError, TypeError) as error:
            raise ArtifactError(
                f"{self.folder / CARD} describes a network that cannot be built: {in_words(error)}",
                remedy="Load it with the versions its card names, or train the model again.",
            ) from error
        if self.card.tasks:
            network = MultiTaskNetwork(network, self.card.tasks, classes=len(self.card.classes))
        if self.card.siamese:
            network = SiameseNetwork(network, **self.card.siamese)
        if self.card.boosting:
            network = empty_boosted(network, self.card.boosting)
        classifier = WindowClassifier(encoding, network)
        try:
            classifier.load_state_dict(load_file(str(self.folder / WEIGHTS)))
        except (SafetensorError, RuntimeError, OSError) as error:
            raise ArtifactError(f"{self.folder / WEIGHTS} does not fit the card: {error}", remedy=AGAIN) from error
        return classifier.eval()

    def predictor(
        self, backend: Literal["onnx", "torch"] = "onnx", *, device: str = "cpu", threads: int = 0
    ) -> AbstractPredictor:
        """The model ready to predict: through ONNX Runtime, or through PyTorch on `device`.

        Raises ArtifactError when the card names factors that this version does not know.
        """
        shape: dict[str, Any] = {"length": self.card.length, "width": self.card.columns, "name": self.card.name}
        shape["horizon"] = self.card.target.get("horizon", 0)
        network: AbstractPredictor
        if backend == "onnx":
            network = OnnxPredictor(self.folder / GRAPH, threads=threads, **shape)
        else:
            network = TorchPredictor(self.classifier(), device=device, **shape)
        makes_rows = self.card.features or self.card.books
        return self.with_regimes(FactorPredictor(network, self._rows()) if makes_rows else network)

    def seen(self) -> SeenFactors:
        """The factors that the model reads, as far as they are watched; none of a model that reads candles."""
        return SeenFactors(self._rows())

    def with_regimes(self, predictor: AbstractPredictor) -> AbstractPredictor:
        """A predictor of this model that tells the regimes beside; the same where the recipe does not use them."""
        told = self.regimes()
        return predictor if told is None else RegimePredictor(predictor, told)

    def regimes(self) -> RegimeTeller | None:
        """What tells the regimes and switches of the market; None where the recipe does not use them."""
        return RegimeTeller.of_card(self.card.regimes, self.folder) if self.card.regimes else None

    def streaming_predictor(
        self, backend: Literal["auto", "compiled", "onnx", "torch"] = "auto", *, renewal: int = 0
    ) -> StreamingPredictor:
        """The model ready to predict candle by candle, carrying its memory along.

        Args:
            backend: a compiled loop, ONNX Runtime or PyTorch, each on one thread of the CPU; auto: the loop, which is
                the fastest, or ONNX Runtime for a network that has none.
            renewal: candles after which the memory begins anew, see `StreamingPredictor`; 0 for those of a window.

        Raises ArtifactError when the network looks at its window as a whole, or has no compiled loop and is to use it.
        """
        if not self.streams:
            raise ArtifactError(
                f"{self.folder} cannot answer candle by candle: its network looks at its window as a whole.",
                remedy="Predict from windows, or train an xlstm with sequence.pool = last, one timeframe and no "
                "adaptive depth.",
            )
        return StreamingPredictor(
            self.step(backend), self._rows(), length=self.card.length, renewal=renewal, name=self.card.name
        )

    def step(self, backend: Literal["auto", "compiled", "onnx", "torch"] = "auto") -> AbstractStep:
        """One step of the network with its memory; `backend` as in `streaming_predictor`."""
        if backend == "onnx":
            return OnnxStep(self.folder / STEP)
        classifier = self.classifier()
        if backend == "torch":
            return TorchStep(classifier)
        has_loop = backend == "compiled" or compiles(classifier)
        return CompiledStep(classifier) if has_loop else OnnxStep(self.folder / STEP)

    @property
    def streams(self) -> bool:
        """Whether it can answer candle by candle."""
        return STEP in self.card.files and self.card.features.get("period", 1) == 1

    def _features(self) -> dict[str, Any]:
        """The features with the places of what the artifact carries."""
        features = dict(self.card.features)
        if f"{DETECTOR}/{CARD}" in self.card.files:
            features["detector"] = str(self.folder / DETECTOR)
        if (patterns := features.get(NETWORKS, {})).get("folders"):
            features[NETWORKS] = {**patterns, "folders": [str(self.folder / name) for name in patterns["folders"]]}
        if (network := features.get(BOOK_NETWORK, {})).get("folder"):
            features[BOOK_NETWORK] = {**network, "folder": str(self.folder / network["folder"])}
        return features

    def _rows(self) -> FactorRows:
        features = self._features()
        try:
            reads = create_encoding(length=self.card.length, **self.card.encoding).columns if self.card.books else ()
            return FactorRows(FeaturesConfig(**features), reads)
        except (RecipeError, ValidationError) as error:
            raise ArtifactError(
                f"{self.folder / CARD} describes factors that cannot be computed: {in_words(error)}",
                remedy="Load it with the versions its card names, or train the model again.",
            ) from error


def save_artifact(
    folder: Path,
    classifier: WindowClassifier,
    card: Card,
    probe_windows: NDArray[np.float32],
    regimes: RegimeTeller | None = None,
) -> Artifact:
    """Write an artifact: complete or not at all.

    Args:
        folder: where it shall be; an older artifact there is replaced.
        classifier: the trained network with its encoding.
        card: its card; file hashes and the measured ONNX difference are filled in here.
        probe_windows: float32 (batch, length, columns), real windows on which graph and network must agree to 1e-4.
        regimes: what tells the regimes beside the network; its own network is copied too. None: nothing does.

    A detector and networks of patterns that the card's features name are copied into the artifact, so that it can be
    moved to another machine.

    Raises ArtifactError when they do not, or what is copied is missing or damaged, StorageError when the disk refuses.
    """
    classifier = classifier.cpu().eval()
    with writing_folder(folder, "artifact") as temporary:
        # Bytes first: safetensors' own writer raises no OSError on a full disk.
        weights = save({name: value.contiguous() for name, value in classifier.state_dict().items()})
        (temporary / WEIGHTS).write_bytes(weights)
        export_onnx(classifier, card.length, temporary / GRAPH, width=card.columns)
        difference = largest_difference(classifier, temporary / GRAPH, probe_windows)
        files = [GRAPH, WEIGHTS]
        if streams(classifier):
            export_step(classifier, temporary / STEP)
            difference = max(difference, _difference_of_steps(temporary, classifier, card, probe_windows))
            files.append(STEP)
        if card.features.get("detector"):
            carried, copied = _carry_detector(card.features, temporary)
            files += copied
            card = card.model_copy(update={"features": card.features | carried})
        if card.features.get(NETWORKS, {}).get("folders"):
            carried, copied = carry_networks(card.features[NETWORKS], temporary)
            files += copied
            card = card.model_copy(update={"features": card.features | {NETWORKS: carried}})
        if regimes is not None:
            files += carry_network(regimes.soft, temporary / REGIMES)
            card = card.model_copy(update={"regimes": regimes.card()})
        if card.features.get(BOOK_NETWORK, {}).get("folder"):
            network, copied = _carry_book_network(card.features[BOOK_NETWORK], temporary)
            files += copied
            card = card.model_copy(update={"features": card.features | {BOOK_NETWORK: network}})
        card = card.model_copy(
            update={
                "files": {name: sha256_of(temporary / name) for name in files},
                # Two significant digits: the last bits depend on the machine, not on the model.
                "onnx_difference": float(f"{difference:.1e}"),
            }
        )
        (temporary / CARD).write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return Artifact(folder=folder, card=card)


def _carry_detector(config: dict[str, Any], artifact: Path) -> tuple[dict[str, Any], list[str]]:
    """Copy the saved detector that a card's features name, checked before and after. Returns the keys that name the
    copy, and its files. Raises ArtifactError when it is missing, damaged or another one."""
    from triptych.inference.anomaly.saving import load_detector, require_card  # takes a while to load

    source, folder = Path(config["detector"]), artifact / DETECTOR
    load_detector(source)
    expected = require_card(source, config.get("detector_hash", ""))
    shutil.copytree(source, folder)
    load_detector(folder)
    files = sorted(f"{DETECTOR}/{file.name}" for file in folder.iterdir())
    return {"detector": DETECTOR, "detector_hash": require_card(folder, expected)}, files


def _carry_book_network(config: dict[str, Any], artifact: Path) -> tuple[dict[str, Any], list[str]]:
    """Copy the network of order books that a card's features name, and return the config that names the copy, and its
    files. Raises ArtifactError when it is missing, damaged or another one."""
    source = open_book_network(NetworkConfig.model_validate(config)).folder
    shutil.copytree(source, artifact / BOOK_NETWORK)
    load_artifact(artifact / BOOK_NETWORK)
    files = sorted(f"{BOOK_NETWORK}/{file.name}" for file in (artifact / BOOK_NETWORK).iterdir())
    return {**config, "folder": BOOK_NETWORK, "hash": book_hash_of(artifact / BOOK_NETWORK)}, files


def _difference_of_steps(folder: Path, classifier: WindowClassifier, card: Card, windows: NDArray[np.float32]) -> float:
    """Largest difference in probability between the graph of windows and the steps: their graph, the compiled loop.

    Raises ArtifactError when it is above 1e-4.
    """
    whole = OnnxPredictor(folder / GRAPH, length=card.length, width=card.columns).probabilities(windows)
    steps: list[AbstractStep] = [OnnxStep(folder / STEP)]
    if compiles(classifier):
        steps.append(CompiledStep(classifier))
    difference = max(float(np.abs(step.through(windows) - whole).max()) for step in steps)
    if not difference <= TOLERANCE:
        raise ArtifactError(
            f"Steps of the network differ from its windows by {difference:.2g}, more than {TOLERANCE:.0e}.",
            remedy="Report this with the recipe.",
        )
    return difference


def load_artifact(folder: Path) -> Artifact:
    """Read an artifact and check it against its card.

    Raises ArtifactError when a file is missing, was changed after saving, or the card is of another format.
    """
    return Artifact(folder=folder, card=read_checked_card(folder))


def record_metrics(folder: Path, metrics: dict[str, Any]) -> Artifact:
    """Write the out-of-sample metrics, known only after the model has been saved and asked, onto its card."""
    return _rewritten(folder, {"metrics": metrics})


def record_reference(folder: Path, reference: dict[str, tuple[float, ...]]) -> Artifact:
    """Write onto its card what the saved model said and saw of the validation part; see `inference.reference`."""
    return _rewritten(folder, {"reference": reference})


def _rewritten(folder: Path, update: dict[str, Any]) -> Artifact:
    artifact = load_artifact(folder)
    card = artifact.card.model_copy(update=update)
    write_text(folder / CARD, card.model_dump_json(indent=2) + "\n")
    return Artifact(folder=folder, card=card)
