"""What training recorded of each epoch."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochRecord:
    """One epoch. It holds no wall-clock time, so two runs of one recipe leave the same history.

    Attributes:
        epoch: counted from 0.
        train_loss: mean loss of the training batches, with class weights and label smoothing, dropout on.
        validation_loss: mean cross-entropy over the validation windows, with class weights, in nats.
        validation_accuracy: share of validation windows whose likeliest class is the label.
        learning_rate: at the last step of the epoch.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    learning_rate: float


def best_of(history: Sequence[EpochRecord]) -> EpochRecord:
    """The record with the lowest validation loss, the earliest of equals."""
    return min(history, key=lambda record: record.validation_loss)


def to_csv(history: Sequence[EpochRecord]) -> str:
    """The history as CSV text with a header; numbers in the shortest form that reads back equal."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(EpochRecord)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(record) for record in history)
    return text.getvalue()
