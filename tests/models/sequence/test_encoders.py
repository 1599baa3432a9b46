from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from triptych.models.sequence.encoders import (
    AdaptiveEncoder,
    ConvolutionalEncoder,
    RecurrentEncoder,
    XLSTMEncoder,
    regime,
)
from triptych.models.xlstm import Config

CONFIG = Config(width=8, blocks=2, heads=2, slstm_at=(1,))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "encoder",
    [
        RecurrentEncoder("lstm", 8, 2, 0.0),
        RecurrentEncoder("gru", 8, 1, 0.3),
        ConvolutionalEncoder(8, 3, 3, 0.0),
        XLSTMEncoder(CONFIG),
    ],
)
@torch.no_grad()
def test_a_step_sees_no_later_one(encoder: nn.Module) -> None:
    encoder.eval()
    x = drawn(2, 20, 8)
    other = x.clone()
    other[:, 13:] = 9.0
    before, after = encoder(x), encoder(other)
    assert before.shape == x.shape
    torch.testing.assert_close(after[:, :13], before[:, :13], rtol=1e-6, atol=1e-6)
    assert not torch.allclose(after[:, 13:], before[:, 13:])


@torch.no_grad()
def test_each_temporal_block_looks_twice_as_far_back() -> None:
    torch.manual_seed(0)
    encoder = ConvolutionalEncoder(32, 3, 3, 0.0).eval()
    # Two convolutions of three steps a block, 1, 2 and 4 apart: 2 * 2 * (1 + 2 + 4) steps before.
    x = drawn(1, 60, 32)
    base = encoder(x)[0, -1]
    for back, is_seen in ((28, True), (29, False)):
        other = x.clone()
        other[0, 59 - back] = -other[0, 59 - back]
        assert torch.equal(encoder(other)[0, -1], base) is not is_seen


def test_the_regime_of_a_window_by_hand() -> None:
    rising = torch.tensor([[[0.0, 1.0], [1.0, 1.0], [2.0, 1.0]]])  # column 0 rises by one, column 1 stands still
    found = regime(rising)[0]
    torch.testing.assert_close(found, torch.tensor([1.0, 1e-6, 2 / 3, 0.0, 1.0, 1.0]))


def test_a_window_of_one_step_has_a_level_only() -> None:
    found = regime(torch.tensor([[[0.5, -2.0]]]))[0]
    torch.testing.assert_close(found, torch.tensor([1e-6, 1e-6, 0.0, 0.0, 0.5, -2.0]))
    encoder = AdaptiveEncoder(CONFIG, columns=3).eval()
    with torch.no_grad():
        assert encoder(drawn(2, 1, 8), drawn(2, 1, 3)).isfinite().all()


@torch.no_grad()
def test_adaptive_depth_begins_as_the_plain_stack() -> None:
    encoder = AdaptiveEncoder(CONFIG, columns=3).eval()
    x, columns = drawn(4, 12, 8), drawn(4, 12, 3, seed=1)
    torch.testing.assert_close(encoder(x, columns), encoder.stack(x)[0])
    assert encoder.weights(columns).tolist() == [[1.0, 1.0]] * 4


@torch.no_grad()
def test_blocks_weigh_by_the_regime_of_each_row() -> None:
    encoder = AdaptiveEncoder(CONFIG, columns=3).eval()
    encoder.weigh.weight.normal_(generator=torch.Generator().manual_seed(0))
    calm, wild = drawn(1, 12, 3) * 0.01, drawn(1, 12, 3) * 3.0
    weights = encoder.weights(torch.cat([calm, wild]))
    assert weights.shape == (2, 2)
    assert not torch.allclose(weights[0], weights[1], atol=1e-2)
    assert ((weights > 0) & (weights < 2)).all()
    # A block with weight 0 is skipped: with -inf everywhere only the last norm remains.
    encoder.weigh.bias.fill_(-1e4)
    x = drawn(2, 12, 8)
    torch.testing.assert_close(encoder(x, torch.cat([calm, wild])), encoder.stack.norm(x))
