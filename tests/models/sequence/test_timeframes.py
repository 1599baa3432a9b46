from __future__ import annotations

import pytest
import torch
from torch import nn

from triptych.domain.errors import DataError
from triptych.models.sequence.timeframes import TimeframesEncoder, every
from triptych.models.xlstm import Config


def test_every_nth_row_is_counted_from_the_last() -> None:
    rows = torch.arange(10.0)[None, :, None]
    assert every(rows, 1)[0, :, 0].tolist() == list(range(10))
    assert every(rows, 4)[0, :, 0].tolist() == [1, 5, 9]
    assert every(rows, 10)[0, :, 0].tolist() == [9]


@torch.no_grad()
def test_each_timeframe_reads_its_own_columns_only_where_its_candles_close() -> None:
    encoder = TimeframesEncoder(Config(width=8, blocks=1, heads=2), 4, (1, 4), nn.Linear).eval()
    columns = torch.randn(2, 12, 4, generator=torch.Generator().manual_seed(0))
    ends = [
        stack(embed(part))[0][:, -1]
        for stack, embed, part in zip(
            encoder.stacks, encoder.embeds, (columns[:, :, :2], columns[:, 3::4, 2:]), strict=True
        )
    ]
    encoder.answered.weight.zero_()
    encoder.answered.bias.zero_()
    torch.testing.assert_close(encoder(columns), torch.stack(ends, dim=1))


@torch.no_grad()
def test_timeframes_attend_to_one_another() -> None:
    encoder = TimeframesEncoder(Config(width=8, blocks=1, heads=2), 4, (1, 4), nn.Linear).eval()
    columns = torch.randn(1, 12, 4, generator=torch.Generator().manual_seed(0))
    other = columns.clone()
    other[:, :, 2:] += 1.0
    assert encoder(columns).shape == (1, 2, 8)
    assert not torch.allclose(encoder(columns)[:, 0], encoder(other)[:, 0])


def test_a_window_shorter_than_a_candle_of_the_longest_timeframe_is_refused() -> None:
    encoder = TimeframesEncoder(Config(width=8, blocks=1, heads=2), 4, (1, 16), nn.Linear)
    with pytest.raises(DataError) as caught:
        encoder(torch.zeros(1, 15, 4))
    assert str(caught.value) == (
        "A window of 15 candles holds no candle of a timeframe 16 times as long. "
        "Lengthen window.length, or shorten model.sequence.periods."
    )
