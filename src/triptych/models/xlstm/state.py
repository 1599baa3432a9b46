"""What a stack remembers between calls: one value that can be kept, cut, moved and saved."""

from __future__ import annotations

import json
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from triptych.domain.errors import ArtifactError
from triptych.models.xlstm.config import Config

FORMAT = 1
"""Version of the bytes; raised when tensors of a state change their meaning or shape."""
_UNSEEN = frozenset({"dropout", "chunk", "recurrent_init", "bias_init"})
"""Settings of a stack on which the meaning of its state does not depend."""


class StackState(NamedTuple):
    """The memory of every block, for every row of a batch.

    Nothing here is ever changed in place: a state may be kept, and continued from twice.

    Attributes:
        blocks: the tensors of each block, the batch first. mLSTM: C (B, N, K, V), n (B, N, K), m (B, N); sLSTM: y, c,
            n, m, each (B, N, K); both then the steps before that the convolution sees, (B, kernel - 1, width), where
            there is one.
    """

    blocks: tuple[tuple[Tensor, ...], ...]

    @property
    def batch(self) -> int:
        """Rows."""
        return len(self.blocks[0][0])

    def detach(self) -> StackState:
        """The same values without their history, so that no gradient flows further back."""
        return StackState(tuple(tuple(one.detach() for one in block) for block in self.blocks))

    def to(self, device: torch.device | str) -> StackState:
        """On another device."""
        return StackState(tuple(tuple(one.to(device) for one in block) for block in self.blocks))

    def rows(self, chosen: Tensor) -> StackState:
        """Some rows, by positions (int64) or by a boolean mask."""
        return StackState(tuple(tuple(one[chosen] for one in block) for block in self.blocks))

    def where(self, mask: Tensor, other: StackState) -> StackState:
        """The rows of this state where `mask` (boolean, shape (batch,)) is True, those of `other` elsewhere."""
        pairs = zip(self.blocks, other.blocks, strict=True)
        return StackState(
            tuple(
                tuple(torch.where(mask.reshape(-1, *[1] * (a.ndim - 1)), a, b) for a, b in zip(*pair, strict=True))
                for pair in pairs
            )
        )


def state_to_bytes(state: StackState, config: Config) -> bytes:
    """A state as safetensors, with the version of the format and the configuration of its stack."""
    tensors = {
        f"{place}.{i}": one.detach().cpu().contiguous()
        for place, block in enumerate(state.blocks)
        for i, one in enumerate(block)
    }
    return save(tensors, {"format": str(FORMAT), "stack": _described(config)})


def state_from_bytes(data: bytes, config: Config) -> StackState:
    """The state, on the CPU.

    Raises ArtifactError when the bytes are damaged, of another format, or of a stack of another configuration.
    """
    try:
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError) as error:
        raise ArtifactError(
            f"These bytes are no state of an xLSTM: {error}.", remedy="Begin with a fresh state and feed it a window."
        ) from error
    known = header.get("__metadata__", {})
    if known.get("format") != str(FORMAT):
        raise ArtifactError(
            f"The state has format {known.get('format', 'none')}, and this version reads format {FORMAT}.",
            remedy="Begin with a fresh state and feed it a window.",
        )
    if known.get("stack") != _described(config):
        theirs, ours = json.loads(known["stack"]), json.loads(_described(config))
        other = [f"{key} {theirs.get(key)} (here {ours.get(key)})" for key in ours if theirs.get(key) != ours.get(key)]
        raise ArtifactError(
            f"The state belongs to another stack: {', '.join(other)}.",
            remedy="Load it with the network that made it, or begin with a fresh state.",
        )
    places: dict[int, dict[int, Tensor]] = {}
    for name, one in tensors.items():
        place, i = name.split(".")
        places.setdefault(int(place), {})[int(i)] = one
    return StackState(tuple(tuple(block[i] for i in sorted(block)) for _, block in sorted(places.items())))


def _described(config: Config) -> str:
    return json.dumps(config.model_dump(mode="json", exclude=set(_UNSEEN)), sort_keys=True)
