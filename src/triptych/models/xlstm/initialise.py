"""The first weights of a stack.

| what | first weights |
| --- | --- |
| maps into a block (up, query, key, value, sLSTM gates) | normal, deviation sqrt(2 / (5 width)): "small init" |
| maps out of a block (down, of layer and feed-forward) | normal, deviation 2 / (blocks sqrt(width)): "Wang init" |
| mLSTM gates | weights 0; forget bias 3 to 6 over the heads; input bias normal, deviation 0.1, in large blocks -10 |
| sLSTM recurrent matrix and biases | as the configuration says |
| convolution | uniform within 1 / sqrt(kernel) |
| skip, norms | scale 1 |

So mLSTM begins as a fixed memory of several speeds.

Source: Beck et al. 2024, arXiv 2405.04517, appendix; Nguyen & Salazar 2019, arXiv 1910.05895 (small init); Wang &
Komatsuzaki 2021, "GPT-J-6B" (Wang init).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from triptych.models.xlstm.block import ResidualBlock
from triptych.models.xlstm.config import Config
from triptych.models.xlstm.convolution import CausalConvolution
from triptych.models.xlstm.feedforward import GatedFeedForward
from triptych.models.xlstm.large_block import LargeBlock
from triptych.models.xlstm.mlstm_layer import MLSTMLayer
from triptych.models.xlstm.slstm_layer import SLSTMLayer

HIGHEST, RANGE, EXPONENT, STEEPER = 5.0, 12.0, 0.3, 1.3
"""Of the power law of sLSTM forget biases: 5 - 12 (place in the head)^(0.3 + 1.3 (place of the block))."""


@torch.no_grad()
def initialise(block: nn.Module, config: Config, place: int, generator: torch.Generator | None = None) -> None:
    """Draw all weights of the block at `place` anew, in place."""
    drawing = _Drawing(config, generator)
    if isinstance(block, LargeBlock):
        drawing.small(block.query, block.key, block.value, block.output_gate)
        drawing.wang(block.down)
        drawing.gates(block.input_gate, block.forget_gate, is_shut=True)
        drawing.feedforward(block.feedforward)
    elif isinstance(block, ResidualBlock):
        if isinstance(block.layer, MLSTMLayer):
            drawing.mlstm(block.layer)
        else:
            drawing.slstm(block.layer, place)
        if block.feedforward is not None:
            drawing.feedforward(block.feedforward)


class _Drawing:
    """Draws with one generator for one stack."""

    def __init__(self, config: Config, generator: torch.Generator | None) -> None:
        self._config = config
        self._generator = generator

    def small(self, *maps: nn.Module) -> None:
        for one in maps:
            self._normal(one, math.sqrt(2.0 / (5.0 * self._config.width)))

    def wang(self, *maps: nn.Module) -> None:
        for one in maps:
            self._normal(one, 2.0 / (self._config.blocks * math.sqrt(self._config.width)))

    def feedforward(self, part: GatedFeedForward) -> None:
        self.small(part.up)
        self.wang(part.down)

    def gates(self, input_gate: nn.Linear, forget_gate: nn.Linear, *, is_shut: bool) -> None:
        for gate in (input_gate, forget_gate):
            gate.weight.zero_()
        forget_gate.bias.copy_(torch.linspace(3.0, 6.0, self._config.heads))
        if is_shut:
            input_gate.bias.fill_(-10.0)
        else:
            input_gate.bias.normal_(0.0, 0.1, generator=self._generator)

    def mlstm(self, layer: MLSTMLayer) -> None:
        self.small(layer.up, layer.query, layer.key, layer.value)
        self.wang(layer.down)
        self._convolution(layer.convolution)
        self.gates(layer.input_gate, layer.forget_gate, is_shut=False)

    def slstm(self, layer: SLSTMLayer, place: int) -> None:
        self.small(layer.input_and_forget, layer.proposal_and_output)
        self._convolution(layer.convolution)
        bound = 1.0 / math.sqrt(self._config.width)
        if self._config.recurrent_init == "uniform":
            layer.recurrent.uniform_(-bound, bound, generator=self._generator)
        else:
            layer.recurrent.zero_()
        if self._config.bias_init == "uniform":
            layer.bias.uniform_(-bound, bound, generator=self._generator)
            return
        layer.bias.zero_()
        forget = layer.bias[:, layer.head_width : 2 * layer.head_width]
        if self._config.bias_init == "linear":
            forget.copy_(torch.linspace(3.0, 6.0, layer.head_width))
        else:
            along = torch.arange(layer.head_width) / (layer.head_width - 1)
            depth = place / (self._config.blocks - 1) if self._config.blocks > 1 else 0.0
            forget.copy_(HIGHEST - RANGE * along ** (EXPONENT + STEEPER * depth))

    def _normal(self, one: nn.Module, deviation: float) -> None:
        weight = one.weight
        assert isinstance(weight, Tensor)
        weight.normal_(0.0, deviation, generator=self._generator)

    def _convolution(self, one: CausalConvolution | None) -> None:
        if one is not None:
            bound = 1.0 / math.sqrt(one.kernel)
            one.conv.weight.uniform_(-bound, bound, generator=self._generator)
            if one.conv.bias is not None:
                one.conv.bias.uniform_(-bound, bound, generator=self._generator)
