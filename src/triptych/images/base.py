"""The interface of every encoding: windows of raw candles in, an image tensor out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from triptych.domain import CANDLE_FIELDS
from triptych.images._pixel_map import PixelMap


class AbstractEncoding(nn.Module, ABC):
    """Draws a batch of windows.

    A window has one row a candle. Its columns are the five fields of a candle, or what `columns` names instead: levels
    of an order book, factors.

    An encoding sees only its own window (it scales by the window's own minimum, maximum or mean, never by anything
    global), holds no learned state, works on any batch size, on CPU and GPU alike, and exports to ONNX together with
    the network behind it. A value that is not finite is refused where a window comes in (on the CPU: a GPU would have
    to be waited for, an exported graph has nobody to tell); in an order book, NaN is a level that is not there.

    Attributes:
        length: candles in a window.
        columns: what the columns of a window are, in order.
        channels, height, width: of the image; known from the constructor on.
        differentiable: whether the image is a continuous function of the prices, so that gradients reach them; some
            encodings leave the choice to their options.
        takes_scores: whether prices and sizes of a book come as scores, which may be below zero; else a size that no
            book can hold is refused like a value that is not finite.
    """

    differentiable: bool = True
    takes_scores: bool = False
    columns: tuple[str, ...] = CANDLE_FIELDS
    length: int
    channels: int
    height: int
    width: int

    @abstractmethod
    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode.

        Args:
            window_BTF: tensor of shape (batch, length, number of columns), float32 or float64; of candles: open, high,
                low, close, volume.

        Returns:
            Tensor of shape (batch, channels, height, width) of the same dtype, every value in [0, 1] unless the
            encoding's docstring names another range.

        Raises DataError for a window of another form, or one that holds a value that is not finite: it is named.
        """

    def blank(self) -> Tensor:
        """The image that says nothing, shape (channels, height, width): what explanations hold a pixel against.

        Empty background of a chart, the middle of what goes both ways.
        """
        return torch.zeros(self.channels, self.height, self.width)

    def pixel_map(self) -> PixelMap | None:
        """Which candles, prices, factors or frequencies the pixels stand for; None of an encoding that cannot say."""
        return None
