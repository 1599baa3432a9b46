"""The xLSTM stack: blocks one behind another and a final norm, for whole sequences and step by step with one state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from triptych.domain.errors import ArtifactError, DataError
from triptych.models.seeding import generator_for
from triptych.models.xlstm.block import residual_block
from triptych.models.xlstm.config import Config
from triptych.models.xlstm.initialise import initialise
from triptych.models.xlstm.large_block import LargeBlock
from triptych.models.xlstm.norms import LayerNorm, RootMeanSquareNorm
from triptych.models.xlstm.state import StackState, state_from_bytes, state_to_bytes


class XLSTMStack(nn.Module):
    """From (batch, time, width) to the same shape, each step seeing the steps before it, also those of earlier calls.

    `forward` and `step` are pure: they return the state after their input and never change the one they were given.
    However a sequence is cut, the outputs and the last state are the same but for rounding. That holds for numbers: a
    NaN at a step makes, through an mLSTM block, steps before it in the same call NaN as well, because what is masked is
    multiplied by zero. `step` and sLSTM blocks never carry one back. Predictors ask no network of a row with NaN.

    Args:
        config: its shape.
        seed: of the first weights; None draws from torch's default generator.
    """

    def __init__(self, config: Config, *, seed: int | None = None) -> None:
        super().__init__()
        self.config = config
        is_large = config.kind == "large"
        self.blocks = nn.ModuleList(
            LargeBlock(config) if is_large else residual_block(config, place) for place in range(config.blocks)
        )
        self.norm = RootMeanSquareNorm(config.width) if is_large else LayerNorm(config.width)
        self.initialise(seed)

    def initialise(self, seed: int | None = None) -> None:
        """Draw all weights anew, in place."""
        generator = generator_for(self, seed)
        for place, block in enumerate(self.blocks):
            initialise(block, self.config, place, generator)

    def fresh_state(self, batch: int) -> StackState:
        """The state of rows that have seen nothing, with device and dtype of the weights."""
        return StackState(tuple(block.fresh_state(batch, self.norm.weight) for block in self.blocks))  # type: ignore[operator]

    def forward(self, x_BSD: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """A sequence.

        Args:
            x_BSD: tensor of shape (batch, time, width), any time from 0.
            state: before its first step; None for rows that have seen nothing.

        Returns:
            Outputs of shape (batch, time, width) and the state after the last step.

        Raises DataError for another shape.
        """
        if x_BSD.ndim != 3 or x_BSD.shape[2] != self.config.width:
            raise DataError(f"Expected a sequence (batch, time, {self.config.width}), was {tuple(x_BSD.shape)}.")
        state = self._state(x_BSD, state)
        if x_BSD.shape[1] == 0:
            return x_BSD, state
        after = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            x_BSD, one = block(x_BSD, before)
            after.append(one)
        return self.norm(x_BSD), StackState(tuple(after))

    def step(self, x_BD: Tensor, state: StackState | None = None) -> tuple[Tensor, StackState]:
        """One step of shape (batch, width): its output, of the same shape, and the state after it."""
        if x_BD.ndim != 2 or x_BD.shape[1] != self.config.width:
            raise DataError(f"Expected a step (batch, {self.config.width}), was {tuple(x_BD.shape)}.")
        state = self._state(x_BD, state)
        after = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            x_BD, one = block.step(x_BD, before)  # type: ignore[operator]
            after.append(one)
        return self.norm(x_BD), StackState(tuple(after))

    def reset(self, state: StackState, rows: Tensor) -> StackState:
        """The state in which the rows where `rows` (boolean, shape (batch,)) is True have seen nothing."""
        fresh = self.fresh_state(state.batch)
        return fresh.where(rows, state)

    def save_state(self, state: StackState) -> bytes:
        """A state as bytes, see `load_state`."""
        return state_to_bytes(state, self.config)

    def load_state(self, data: bytes) -> StackState:
        """The state from bytes, on the device of the weights.

        Raises ArtifactError when they are damaged, of another format, or of a stack of another configuration.
        """
        state = state_from_bytes(data, self.config)
        expected = self.fresh_state(state.batch) if state.blocks else None
        if expected is None or _shapes(state) != _shapes(expected):
            raise ArtifactError(
                "These bytes are no state of an xLSTM: its tensors have other shapes than those of the stack.",
                remedy="Begin with a fresh state and feed it a window.",
            )
        return state.to(self.norm.weight.device)

    def _state(self, x: Tensor, state: StackState | None) -> StackState:
        if state is None:
            return self.fresh_state(x.shape[0])
        if len(state.blocks) != len(self.blocks) or (not torch.compiler.is_compiling() and state.batch != x.shape[0]):
            raise DataError(
                f"The state has {len(state.blocks)} blocks and {state.batch} rows, and the input needs "
                f"{len(self.blocks)} and {x.shape[0]}.",
                remedy="Pass the state that this network returned for the same rows.",
            )
        return state


def _shapes(state: StackState) -> list[list[tuple[int, ...]]]:
    return [[tuple(one.shape) for one in block] for block in state.blocks]
