"""One instrument, candle by candle: the image of its latest window after every row.

The window slides along a row buffer without being moved, and the image is drawn anew into memory that is there. Moving
the image of the candle before and drawing only what is new was measured against that (224 x 224, one core): a field
takes 7 us either way, a chart 94 us against 32, because moving reads every pixel that a kernel only writes. Besides, it
would be right only while the window's extremes stay (in a random walk they change with every fourth to seventh candle)
and where a candle has a whole number of columns. So drawing anew it is, and exactly what the encoding gives of the
window.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from triptych.domain.errors import DataError, NotEnoughData
from triptych.images._finite import impossible_sizes, may_miss, why_impossible
from triptych.images._pool import draw_into, encode_into
from triptych.images._unlike_books import first_unlike
from triptych.images.base import AbstractEncoding


class StreamingEncoder:
    """Holds the last `length` rows of one instrument and draws them. Not for use by several threads at once.

    From the second image on nothing of the size of an image is allocated, whatever the encoding of this package, and
    with default options no tensor at all: a kernel keeps the memory it works in, and draws into buffers that are there.
    (An encoding of one's own without a kernel makes its image anew each time; it is then copied.)

    Args:
        encoding: any encoding, on the CPU; it is shared, not changed.
        dtype: of rows and images: float32 or float64. Rows are rounded to it as they come.
        images: buffers that are drawn into in turn: an image stays as it is during the `images` - 1 updates after its
            own. At least 1.

    Raises:
        DataError: another dtype, or less than one image.
    """

    def __init__(self, encoding: AbstractEncoding, *, dtype: torch.dtype = torch.float32, images: int = 2) -> None:
        if dtype not in (torch.float32, torch.float64):
            raise DataError(
                f"A stream holds float32 or float64, asked for was {str(dtype).removeprefix('torch.')}.",
                remedy="Half precision cannot hold a price above 65,504, whole numbers no return: leave dtype out.",
            )
        if not isinstance(images, int) or images < 1:
            raise DataError(f"A stream draws into at least 1 image, asked for were {images}.", remedy="Give 1 or more.")
        self.encoding = encoding
        self.n_rows = 0
        shape = (1, encoding.channels, encoding.height, encoding.width)
        self._images = itertools.cycle([torch.empty(shape, dtype=dtype) for _ in range(images)])
        # Every row stands at two places, `length` apart, so that the last rows always lie in one piece somewhere.
        self._rows = torch.zeros(1, 2 * encoding.length, len(encoding.columns), dtype=dtype)
        self._places = self._rows[0].numpy()
        self._may_miss = may_miss(encoding.columns)

    @property
    def ready(self) -> bool:
        """Whether the window is full."""
        return self.n_rows >= self.encoding.length

    @property
    def window(self) -> Tensor:
        """The last rows, oldest first, shape (1, length, number of columns); a view that the next row changes.

        Raises NotEnoughData until the window is full.
        """
        length = self.encoding.length
        if not self.ready:
            raise NotEnoughData(
                f"The window holds {self.n_rows} of {length} rows.",
                remedy=f"Append {length - self.n_rows} more before the first image.",
            )
        return self._rows.narrow(1, self.n_rows % length, length)

    def append(self, row: ArrayLike) -> None:
        """Take the next row, shape (number of columns,): a closed candle, or what `encoding.columns` names.

        A level that an order book does not have is NaN. Raises DataError when the row has another shape, any other
        value that is not finite, or what no book can hold; the window is then as it was.
        """
        values = self._numbers(row)
        if values.shape != self._places.shape[1:]:
            raise DataError(
                f"Expected a row of shape {self._places.shape[1:]}, was {values.shape}.",
                remedy="Its values are the columns of the encoding, in order.",
            )
        if not (np.isfinite(values) | (np.isnan(values) & self._may_miss)).all():
            raise DataError(
                f"Row {self.n_rows} has a value that is not finite: {values.tolist()}.",
                remedy="Leave the row out, or start anew after the gap.",
            )
        self._refuse_impossible_books(values)
        place = self.n_rows % self.encoding.length
        self._places[place] = self._places[place + self.encoding.length] = values
        self.n_rows += 1

    def update(self, row: ArrayLike) -> Tensor:
        """Append a row and draw; see `append` and `image`."""
        self.append(row)
        return self.image()

    def image(self, out: Tensor | None = None) -> Tensor:
        """Draw the window.

        Args:
            out: tensor to draw into, as in `encode_into`; else one of the encoder's own buffers.

        Returns:
            Tensor of shape (1, channels, height, width), equal to `encoding(window)`.

        Raises:
            NotEnoughData: until the window is full.
        """
        window = self.window
        if out is not None:
            return encode_into(self.encoding, window, out)
        return draw_into(self.encoding, window, next(self._images))  # rows were judged as they came

    def _refuse_impossible_books(self, values: NDArray[np.floating]) -> None:
        if self.encoding.takes_scores or not self._may_miss.any():
            return
        columns = self.encoding.columns
        wrong = impossible_sizes(values, columns)
        if wrong.any():
            first = int(wrong.argmax())
            why, remedy = why_impossible(float(values[first]))
            raise DataError(f"Row {self.n_rows}: {columns[first]} is {values[first]}{why}.", remedy=remedy)
        unlike = first_unlike(values[None, None], columns)
        if unlike is not None:
            raise DataError(f"Row {self.n_rows}: {unlike[2]}.", remedy=unlike[3])

    def _numbers(self, row: ArrayLike) -> NDArray[np.floating]:
        try:
            return np.asarray(row, dtype=self._places.dtype)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"Row {self.n_rows} is not a row of numbers: {row!r}.",
                remedy="Its values are the columns of the encoding, in order.",
            ) from error
