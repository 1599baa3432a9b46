"""How a CATCH network is trained, in settings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from triptych.domain import Config as BaseConfig


class Config(BaseConfig):
    """How a CATCH network is trained: two optimisers take turns, one for the network and one for the masks."""

    epochs: int = Field(6, description="Passes over the training windows at most.", ge=1, le=100_000)
    batch_size: int = Field(64, description="Windows in a batch.", ge=1, le=1_000_000)
    learning_rate: float = Field(1e-3, description="Highest learning rate of the network (AdamW).", gt=0, le=10)
    mask_learning_rate: float = Field(
        2e-2, description="Highest learning rate of the mask generator (Adam).", gt=0, le=10
    )
    mask_every: int = Field(
        2, description="Batches from one step of the mask generator to the next; each uses its own batch only.", ge=1
    )
    schedule: Literal["cosine", "none"] = Field(
        "cosine",
        description="`cosine`: both rates fall along half a cosine to a hundredth. `none`: they stay as they are.",
    )
    weight_decay: float = Field(
        1e-4, description="Decay of AdamW; biases and normalisations are not decayed.", ge=0, le=10
    )
    frequency_weight: float = Field(0.1, description="Weight of the frequency loss.", ge=0, le=1000)
    channel_weight: float = Field(0.1, description="Weight of the channel loss.", ge=0, le=1000)
    gradient_clip: float = Field(1.0, description="Greatest norm of a gradient; 0 does not clip.", ge=0)
    early_stopping: int = Field(
        3, description="Stop after this many epochs without a lower validation error; 0 never stops early.", ge=0
    )
    windows_per_epoch: int = Field(
        3200,
        description="Training windows at most; of longer histories so many, evenly spread.",
        ge=1,
    )
    precision: Literal["auto", "32", "bf16", "16"] = Field(
        "32", description="`auto`: mixed bf16 on a GPU that has it, else mixed fp16 on a GPU, else 32 bits."
    )
    accelerator: Literal["auto", "cpu", "gpu"] = Field(
        "auto", description="Where to train; `auto` takes a GPU when there is one."
    )
    num_threads: int | None = Field(None, description="CPU threads; empty leaves PyTorch's choice.", ge=1, le=1024)
