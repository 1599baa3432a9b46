"""How a network is trained, in settings: apart from the trainer, so that reading a recipe need not load Lightning."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig
from triptych.training.tasks.config import Config as TasksConfig


class Config(BaseConfig):
    """How a network is trained."""

    epochs: int = Field(20, description="Passes over the training windows at most.", ge=1, le=100_000)
    batch_size: int = Field(256, description="Windows in a batch.", ge=2, le=1_000_000)
    learning_rate: float = Field(1e-3, description="Highest learning rate of AdamW.", gt=0, le=10)
    weight_decay: float = Field(
        0.05, description="Decay of AdamW; biases and normalisations are not decayed.", ge=0, le=10
    )
    schedule: Literal["cosine", "plateau", "none"] = Field(
        "cosine",
        description="`cosine`: linear warm-up, then half a cosine over all epochs. `plateau`: the rate is cut "
        "when the validation loss no longer falls. `none`: constant.",
    )
    warmup: float = Field(0.05, description="Share of all steps that warm up; cosine only.", ge=0, lt=1)
    final_rate: float = Field(
        0.01, description="Learning rate at the end of cosine and plateau, as a share of the highest.", ge=0, le=1
    )
    plateau_factor: float = Field(0.5, description="Factor of each cut; plateau only.", gt=0, lt=1)
    plateau_patience: int = Field(
        2, description="Epochs without a lower validation loss before a cut; plateau only.", ge=0
    )
    gradient_clip: float = Field(1.0, description="Greatest norm of the gradient; 0 does not clip.", ge=0)
    label_smoothing: float = Field(0.0, description="Share of each label spread over all classes.", ge=0, lt=1)
    auxiliary_weight: float = Field(
        0.3,
        description="Weight of each auxiliary classifier's loss, where the network has them (googlenet); 0 leaves them "
        "out. They serve in training only and are not saved with the model.",
        ge=0,
        le=10,
    )
    return_weight: float = Field(
        0.1,
        description="Weight of the squared error of the foretold return, in standard deviations of the training "
        "returns, where the network has a head for it (`model.sequence.return_head`); 0 leaves it out.",
        ge=0,
        le=100,
    )
    tasks: TasksConfig = Field(TasksConfig(), description="Questions to the network beside the direction.")
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled",
        description="`shuffled`: every training window once an epoch in random order. `balanced`: as many draws, with "
        "replacement, every class equally often.",
    )
    uniqueness_weights: bool = Field(
        False, description="Weigh each training window in the loss by how little its label overlaps with others."
    )
    class_weights: Literal["balanced", "none"] = Field(
        "none",
        description="`balanced`: every class weighs the same in the loss, however frequent; probabilities are then "
        "those of a balanced market. `none`: they keep the frequencies of the training segment.",
    )
    early_stopping: int = Field(
        5, description="Stop after this many epochs without a lower validation loss; 0 never stops early.", ge=0
    )
    precision: Literal["auto", "32", "bf16", "16"] = Field(
        "auto", description="`auto`: mixed bf16 on a GPU that has it, else mixed fp16 on a GPU, else 32 bits."
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where to train; `auto` takes a GPU when there is one."
    )
    num_threads: int | None = Field(None, description="CPU threads; empty leaves PyTorch's choice.", ge=1, le=1024)
    ema: float | None = Field(
        None,
        description="Decay per step of a running average of the weights, which is then what is validated and kept; it "
        "rises to this within the first steps, (1 + n) / (10 + n) at step n. Empty keeps the weights themselves.",
        gt=0,
        lt=1,
    )
