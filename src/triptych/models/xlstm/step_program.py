"""The step of a stack written as a list of operations over flat memory, for the compiled loop that runs them all.

One step of a small network is a hundred tiny tensor operations, each of which costs more to start than to do. Here its
weights lie in one array, its state in another, and one call of `_step_kernels.run_step` does everything. The numbers
are those of `XLSTMStack.step` in single precision, but for rounding.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from triptych.models.xlstm import _step_kernels as kernels
from triptych.models.xlstm._tiles import LANES
from triptych.models.xlstm.block import ResidualBlock
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.feedforward import GatedFeedForward
from triptych.models.xlstm.headwise import HeadwiseLinear
from triptych.models.xlstm.large_block import LargeBlock
from triptych.models.xlstm.mlstm_layer import MLSTMLayer
from triptych.models.xlstm.norms import EPSILON, HeadNorm, LayerNorm, RootMeanSquareNorm
from triptych.models.xlstm.slstm_layer import SLSTMLayer
from triptych.models.xlstm.stack import XLSTMStack

OPENINGS: Final = {"gelu": 0, "relu": 1, "relu2": 2, "sigmoid": 3, "silu": 4, "selu": 5}


class StepProgram:
    """Columns in, logits out: a linear embedding, a stack, a linear classifier.

    Attributes:
        operations: int64 of shape (operations, 12), see `_step_kernels.py`.
        weights: all weights, flat float32, copied: later changes of the network do not reach them.
        width: numbers that a row needs to work in.
        state_shapes: of the stack's state tensors without the batch, in their order; a row's state holds them one
            behind another.
        fresh: the state of a row that has seen nothing, float32 of shape (numbers of all state tensors,).
    """

    def __init__(self, embed: nn.Linear, stack: XLSTMStack, classifier: nn.Linear) -> None:
        self._weights: list[NDArray[np.float32]] = []
        self._operations: list[tuple[int, ...]] = []
        self._used, self.width = 0, 0
        with torch.no_grad():
            state = [one[0] for block in stack.fresh_state(1).blocks for one in block]
            self.state_shapes = [tuple(one.shape) for one in state]
            self.fresh = np.concatenate([one.float().cpu().numpy().reshape(-1) for one in state])
            x = self._linear(self._place(embed.in_features), embed)
            first = 0
            for block, tensors in zip(stack.blocks, stack.fresh_state(1).blocks, strict=True):
                x = self._large(x, block, first) if isinstance(block, LargeBlock) else self._residual(x, block, first)
                first += sum(one.numel() for one in tensors)
            self._linear(self._norm(x, stack.norm, 1, stack.config.width), classifier)
        self.operations = np.zeros((len(self._operations), 1 + kernels.ARGUMENTS), dtype=np.int64)
        for row, operation in zip(self.operations, self._operations, strict=True):
            row[: len(operation)] = operation
        self.weights = np.concatenate(self._weights)

    def _place(self, numbers: int) -> int:
        """A part of the place to work in; a product may write up to sixteen too many."""
        place = self.width
        self.width += -(-numbers // LANES) * LANES + LANES
        return place

    def _keep(self, values: Tensor | float) -> int:
        """Weights behind those kept before; where they begin."""
        flat = torch.as_tensor(values).detach().float().cpu().numpy().reshape(-1)
        flat = np.pad(flat, (0, -len(flat) % LANES))
        self._weights.append(flat)
        self._used += len(flat)
        return self._used - len(flat)

    def _do(self, kind: int, *arguments: int) -> None:
        self._operations.append((kind, *arguments))

    def _matrices(self, source: int, target: int, weight_NKJ: Tensor, apart: int, *, adds: bool) -> int:
        """Blocks of matrices (blocks, inputs, outputs), those of a block written `apart` from those before."""
        blocks, depth, columns = weight_NKJ.shape
        kept = self._keep(nn.functional.pad(weight_NKJ, (0, -columns % LANES)))
        self._do(kernels.LINEAR, source, target, kept, blocks, depth, columns, apart, int(adds))
        return target

    def _linear(self, source: int, layer: nn.Linear) -> int:
        target = self._place(layer.out_features)
        if layer.bias is not None:
            self._do(kernels.FILL, target, self._keep(layer.bias), layer.out_features)
        return self._matrices(source, target, layer.weight.T[None], layer.out_features, adds=layer.bias is not None)

    def _down(self, source: int, layer: nn.Linear, x: int) -> int:
        """A projection without a bias, added to `x`."""
        return self._matrices(source, x, layer.weight.T[None], layer.out_features, adds=True)

    def _headwise(self, source: int, target: int, layer: HeadwiseLinear) -> int:
        """Small blocks go together until they fill a vector, zeros and all."""
        maps = layer.weight.transpose(1, 2)
        blocks, inputs, outputs = maps.shape
        count = max(1, LANES // outputs) if inputs == outputs else 1
        if count > 1 and blocks % count == 0:
            parts = torch.unflatten(maps, 0, (-1, count))[:, :, :, None] * torch.eye(count)[:, None, :, None]
            maps = parts.reshape(blocks // count, count * inputs, count * outputs)
        return self._matrices(source, target, maps, maps.shape[2], adds=False)

    def _norm(self, source: int, norm: nn.Module, heads: int, width: int) -> int:
        """The norm of each head, or with one head that of the width."""
        target = self._place(heads * width)
        assert isinstance(norm, LayerNorm | HeadNorm | RootMeanSquareNorm)
        is_centred = not isinstance(norm, RootMeanSquareNorm)
        scale = self._keep(1.0 + norm.weight if is_centred else norm.weight)
        epsilon = self._keep(EPSILON if isinstance(norm, LayerNorm) else norm.epsilon)
        self._do(kernels.NORM, source, target, scale, epsilon, heads, width, int(is_centred))
        return target

    def _convolved(self, source: int, layer: CausalConvolution | None, state: int) -> int:
        if layer is None:
            return source
        width = layer.conv.in_channels
        target = self._place(width)
        assert layer.conv.bias is not None
        weight, bias = self._keep(layer.conv.weight[:, 0].T), self._keep(layer.conv.bias)
        self._do(kernels.CONVOLVE, source, target, weight, bias, state, width, layer.kernel)
        return target

    def _residual(self, x: int, block: nn.Module, state: int) -> int:
        assert isinstance(block, ResidualBlock)
        width = block.norm.weight.numel()
        seen = self._norm(x, block.norm, 1, width)
        if isinstance(block.layer, MLSTMLayer):
            self._mlstm(seen, block.layer, state, x)
        else:
            self._slstm(seen, block.layer, state, x)
        if block.feedforward is not None and block.feedforward_norm is not None:
            self._fed(self._norm(x, block.feedforward_norm, 1, width), block.feedforward, x)
        return x

    def _mlstm(self, seen: int, layer: MLSTMLayer, state: int, x: int) -> None:
        heads, width = layer.heads, layer.head_width
        inner = heads * width
        a = self._linear(seen, layer.up)
        u = self._convolved(a, layer.convolution, state + heads * width * (width + 1) + heads)
        # Beside one another, for gates look at all three: inner is a multiple of sixteen.
        q = self._place(3 * inner)
        for source, target, of in ((u, q, layer.query), (u, q + inner, layer.key), (a, q + 2 * inner, layer.value)):
            self._headwise(source, target, of)
        gates = self._gates(q, layer.input_gate, layer.forget_gate)
        h = self._cell(q, q + inner, q + 2 * inner, gates, state, (heads, width, width), layer.soft_cap)
        normal = self._norm(h, layer.norm, heads, width)
        self._do(kernels.MERGE, normal, u, a + inner, h, self._keep(layer.skip), inner)
        self._down(h, layer.down, x)

    def _gates(self, source: int, input_gate: nn.Linear, forget_gate: nn.Linear) -> int:
        heads = input_gate.out_features
        target = self._place(2 * heads)
        self._do(kernels.FILL, target, self._keep(torch.cat([input_gate.bias, forget_gate.bias])), 2 * heads)
        weight = torch.cat([input_gate.weight, forget_gate.weight]).T[None]
        return self._matrices(source, target, weight, 2 * heads, adds=True)

    def _cell(self, q: int, k: int, v: int, gates: int, state: int, shape: tuple[int, int, int], cap: float) -> int:
        heads, width, values = shape
        target = self._place(heads * values)
        numbers = self._keep(torch.tensor([1.0 / math.sqrt(width), cap]))
        self._do(kernels.MLSTM, q, k, v, gates, target, state, heads, width, numbers, values)
        return target

    def _slstm(self, seen: int, layer: SLSTMLayer, state: int, x: int) -> None:
        heads, width = layer.heads, layer.head_width
        u = self._convolved(seen, layer.convolution, state + 4 * heads * width)
        raw, y = self._place(4 * heads * width), self._place(heads * width)
        # Gate by gate, so that each is one long line over all heads.
        bias, recurrent = _by_gate(layer.bias[:, None], 4), _by_gate(layer.recurrent, 4)
        self._do(kernels.FILL, raw, self._keep(bias), 4 * heads * width)
        pairs = ((u, layer.input_and_forget), (seen, layer.proposal_and_output))
        maps = [(source, one) for source, of in pairs for one in _by_gate(of.weight.transpose(1, 2), 2)]
        for gate, (source, one) in enumerate(maps):
            self._matrices(source, raw + gate * heads * width, one, width, adds=True)
        kept = self._keep(nn.functional.pad(recurrent, (0, -width % LANES)))
        self._do(kernels.SLSTM, raw, y, kept, state, heads, width)
        self._do(kernels.ADD, self._norm(y, layer.norm, heads, width), x, heads * width)

    def _fed(self, seen: int, layer: GatedFeedForward, x: int) -> None:
        inner = layer.down.in_features
        up, out = self._linear(seen, layer.up), self._place(inner)
        self._do(kernels.GATE, up, up + inner, out, inner, OPENINGS[layer.opening])
        self._down(out, layer.down, x)

    def _large(self, x: int, block: LargeBlock, state: int) -> int:
        heads, width = block.heads, block.norm.weight.numel()
        seen = self._norm(x, block.norm, 1, width)
        q, k, v = (self._linear(seen, of) for of in (block.query, block.key, block.value))
        gates = self._gates(seen, block.input_gate, block.forget_gate)
        h = self._cell(q, k, v, gates, state, (heads, block.query_width, block.value_width), block.soft_cap)
        normal = self._norm(h, block.head_norm, heads, block.value_width)
        opening = self._linear(seen, block.output_gate)
        # Into a third place: a line that is read and written is no vector to the compiler.
        self._do(kernels.GATE, opening, normal, h, width, kernels.SIGMOID)
        self._down(h, block.down, x)
        self._fed(self._norm(x, block.feedforward_norm, 1, width), block.feedforward, x)
        return x


def _by_gate(weight_NKH: Tensor, gates: int) -> Tensor:
    """From (heads, inputs, gates * width) to (gates, heads, inputs, width)."""
    return torch.unflatten(weight_NKH, 2, (gates, -1)).permute(2, 0, 1, 3)
