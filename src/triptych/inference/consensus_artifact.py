"""The artifact of a consensus: one folder that holds a copy of every member's artifact, and how they are joined.

consensus.json    the card: hashes of all that stands beside it
combiner.json     the combiner
members/NAME/     the artifact of a member, whole
regimes/          the network whose soft labels the filter of regimes hears, where there is one
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from triptych.domain.errors import ArtifactError
from triptych.domain.files import write_text, writing_folder
from triptych.inference.artifact import Artifact, load_artifact
from triptych.inference.base import AbstractPredictor
from triptych.inference.card_reading import AGAIN, CARD
from triptych.inference.columns import BookNeed
from triptych.inference.combiner import Combiner
from triptych.inference.consensus import ConsensusPredictor
from triptych.inference.reference import NO_REFERENCE, Reference
from triptych.inference.regime_predictor import RegimePredictor
from triptych.inference.regime_teller import RegimeTeller
from triptych.inference.soft_labels import FOLDER as REGIMES
from triptych.inference.soft_labels import carry_network

CONSENSUS_CARD, COMBINER, MEMBERS = "consensus.json", "combiner.json", "members"
_MEASURED: Final = "metrics"
"""Of a member's card, what is written after the model was saved: no part of what the member is."""


class ConsensusCard(BaseModel):
    """Everything needed to rebuild, check and judge a consensus. Stored as `consensus.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str = Field(description="Name of the consensus; predictions are signed with it.")
    timeframe: str = Field(description="Timeframe of the candles, such as 15m.")
    symbols: tuple[str, ...] = Field(description="Instruments the members were trained on.")
    method: str = Field(description="How votes are joined.")
    members: dict[str, str] = Field(description="SHA-256 of each member's files and card, by name, in order.")
    combiner: str = Field(description="SHA-256 of combiner.json.")
    regimes: dict[str, Any] = Field(
        default_factory=dict, description="Filter of the market's regimes beside the members; empty: none."
    )
    period: tuple[str, str] = Field(description="First and last candle of the data, UTC.")
    data_hash: str = Field(description="SHA-256 of the candles.")
    seed: int = Field(description="Seed of the training.")
    metrics: dict[str, Any] = Field(default_factory=dict, description="Out-of-sample metrics with their intervals.")
    versions: dict[str, str] = Field(description="Versions of Triptych, Python and the libraries that matter.")


def artifact_hash(artifact: Artifact) -> str:
    """SHA-256 of a model: its card, which holds the hashes of its files, but for the metrics."""
    return hashlib.sha256(artifact.card.model_dump_json(exclude={_MEASURED}).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class ConsensusArtifact:
    """A saved consensus, checked: members and combiner are those its card was written for."""

    folder: Path
    card: ConsensusCard
    members: Mapping[str, Artifact]
    combiner: Combiner

    @property
    def companions(self) -> tuple[str, ...]:
        """Other instruments whose candles the members look at."""
        return tuple(dict.fromkeys(symbol for member in self.members.values() for symbol in member.companions))

    @property
    def books(self) -> BookNeed | None:
        """The order books that must stand beside the candles, enough for every member; None: no member reads any."""
        return BookNeed.together(member.books for member in self.members.values())

    def predictor(
        self, backend: Literal["onnx", "torch"] = "onnx", *, device: str = "cpu", threads: int = 0
    ) -> AbstractPredictor:
        """All members ready to predict, joined, with the regimes beside where the recipe uses them.

        Raises ArtifactError as `Artifact.predictor` does.
        """
        return self.with_regimes(self.joined(backend, device=device, threads=threads))

    def with_regimes(self, predictor: AbstractPredictor) -> AbstractPredictor:
        """A predictor that tells the regimes beside; the same where the recipe does not use them."""
        told = self.regimes()
        return predictor if told is None else RegimePredictor(predictor, told)

    def regimes(self) -> RegimeTeller | None:
        """What tells the regimes and switches of the market; None where the recipe does not use them."""
        return RegimeTeller.of_card(self.card.regimes, self.folder) if self.card.regimes else None

    def joined(
        self, backend: Literal["onnx", "torch"] = "onnx", *, device: str = "cpu", threads: int = 0
    ) -> ConsensusPredictor:
        """As `predictor`, as the consensus itself, which can also be asked for its votes."""
        members = {
            name: member.predictor(backend, device=device, threads=threads) for name, member in self.members.items()
        }
        return ConsensusPredictor(members, self.combiner, name=self.card.name)


def save_consensus(
    folder: Path,
    members: Mapping[str, Artifact],
    combiner: Combiner,
    regimes: RegimeTeller | None = None,
    **card: Any,
) -> ConsensusArtifact:
    """Write a consensus: complete or not at all.

    Args:
        folder: where it shall be; an older one there is replaced.
        members: checked artifacts by name, in the combiner's order; they are copied.
        combiner: how they are joined.
        regimes: what tells the regimes beside the members; None: nothing does.
        card: what else the card says: name, timeframe, symbols, period, data_hash, seed, versions.

    Raises StorageError when the disk refuses.
    """
    text = combiner.model_dump_json(indent=2) + "\n"
    written = ConsensusCard(
        method=combiner.method,
        members={name: artifact_hash(member) for name, member in members.items()},
        combiner=hashlib.sha256(text.encode()).hexdigest(),
        regimes={} if regimes is None else regimes.card(),
        **card,
    )
    with writing_folder(folder, "artifact") as temporary:
        for name, member in members.items():
            shutil.copytree(member.folder, temporary / MEMBERS / name)
        carry_network(None if regimes is None else regimes.soft, temporary / REGIMES)
        (temporary / COMBINER).write_text(text, encoding="utf-8")
        (temporary / CONSENSUS_CARD).write_text(written.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return load_consensus(folder)


def load_consensus(folder: Path) -> ConsensusArtifact:
    """Read a consensus and check it against its card, every member too.

    Raises ArtifactError when something is missing, was changed after saving, or is of another format.
    """
    try:
        card = ConsensusCard.model_validate_json((folder / CONSENSUS_CARD).read_bytes())
        text = (folder / COMBINER).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ArtifactError(
            f"{folder} is no consensus: {Path(error.filename).name} is missing.", remedy=AGAIN
        ) from error
    except ValidationError as error:
        raise ArtifactError(f"{folder / CONSENSUS_CARD} cannot be read: {_first(error)}", remedy=AGAIN) from error
    if hashlib.sha256(text).hexdigest() != card.combiner:
        raise ArtifactError(
            f"{folder / COMBINER} is damaged: it is not the file its card was written for.", remedy=AGAIN
        )
    try:
        combiner = Combiner.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{folder / COMBINER} cannot be read: {_first(error)}", remedy=AGAIN) from error
    members = {}
    for name, expected in card.members.items():
        members[name] = load_artifact(folder / MEMBERS / name)
        if artifact_hash(members[name]) != expected:
            raise ArtifactError(
                f"The member {name} of {folder} was altered: it is not the model the consensus was made of.",
                remedy=AGAIN,
            )
    found = ConsensusArtifact(folder=folder, card=card, members=members, combiner=combiner)
    found.regimes()  # its network is checked against the card
    return found


def open_any_artifact(folder: Path) -> Artifact | ConsensusArtifact:
    """The model or the consensus in a folder. Raises ArtifactError when there is neither, or it is damaged."""
    if (folder / CONSENSUS_CARD).exists() and not (folder / CARD).exists():
        return load_consensus(folder)
    return load_artifact(folder)


def fingerprint(artifact: Artifact | ConsensusArtifact) -> str:
    """SHA-256 of what a model is: two artifacts of one fingerprint answer alike."""
    if isinstance(artifact, Artifact):
        return artifact_hash(artifact)
    return hashlib.sha256(artifact.card.model_dump_json(exclude={_MEASURED}).encode()).hexdigest()


def reference_of(artifact: Artifact | ConsensusArtifact) -> Reference:
    """What stands on a model's card of its training, for whoever watches for drift; nothing of a consensus."""
    if not isinstance(artifact, Artifact):
        return NO_REFERENCE
    card = artifact.card
    return Reference(quantiles=card.reference, length=card.length, factors=artifact.seen().now)


def record_consensus_metrics(folder: Path, metrics: dict[str, Any]) -> None:
    """Write the out-of-sample metrics, known only after the consensus has been saved and asked, onto its card."""
    card = load_consensus(folder).card.model_copy(update={"metrics": metrics})
    write_text(folder / CONSENSUS_CARD, card.model_dump_json(indent=2) + "\n")


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}.".removeprefix(": ")
