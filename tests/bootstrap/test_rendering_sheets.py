"""Sheets that wrap, and what stands along the sides of landscapes."""

from __future__ import annotations

import numpy as np

from triptych.bootstrap.rendering.sheets import Layout, sheet
from triptych.bootstrap.rendering.ticks import factor_ticks
from triptych.images import create_encoding

HOUR_MS = 3_600_000
START_MS = 1_704_067_200_000  # 2024-01-01 00:00 UTC


def pictures(*sizes: tuple[int, int]) -> list[np.ndarray]:
    """Pictures of these heights and widths, each of one grey."""
    return [np.full((*size, 3), 100 + 20 * i, dtype=np.uint8) for i, size in enumerate(sizes)]


def test_what_is_wider_than_a_screen_goes_on_in_further_lines():
    shown = pictures((50, 800), (80, 900), (60, 700), (40, 1_000))
    layout = Layout.of("abcd", shown, ["one", "two"])
    assert layout.lines == (range(2), range(2, 4))
    assert layout.heights == (80, 60)
    assert layout.row_height == 80 + 60 + 2 * (10 + 13 + 10)
    assert (layout.top(0, 0), layout.top(0, 2), layout.top(1, 0)) == (33, 33 + 80 + 33, 33 + layout.row_height)
    image = np.asarray(sheet(layout, ["one", "two"], [[one, one] for one in shown]))
    assert image.shape[1] == layout.label + 800 + 900 + 2 * 10
    for row in range(2):
        for column, one in enumerate(shown):
            top, left = layout.top(row, column), layout.left(column)
            there = image[top : top + one.shape[0], left : left + one.shape[1]]
            assert np.array_equal(there, one)
            title = image[top - 23 : top - 8, left : left + 20]
            assert title.max() > 200  # written above every picture


def test_a_picture_wider_than_a_screen_has_a_line_of_its_own():
    layout = Layout.of("abc", pictures((10, 3_000), (10, 20), (10, 20)))
    assert layout.lines == (range(1), range(1, 3))


def test_a_landscape_of_factors_shows_dates_and_names():
    names = tuple(f"factor {i}" for i in range(3))
    closes = START_MS + 24 * HOUR_MS * np.arange(1, 41)
    grid = create_encoding("factor_grid", 40, channels=1, factors=3, bars_per_row=4)
    columns, rows = factor_ticks(grid, closes, names)
    assert columns[:4] == ((0, "factor 0"), (1, "factor 1"), (2, "factor 2"), (3, "factor 0"))
    assert rows[:3] == ((0, "01-02"), (1, "01-06"), (2, "01-10"))
    sequence = create_encoding("sequence", 14, channels=1, factors=3)
    columns, rows = factor_ticks(sequence, START_MS + HOUR_MS * np.arange(14), names)
    assert columns[:2] == ((0, "01-01 00:00"), (2, "01-01 02:00"))
    assert rows == ((0, "factor 0"),)
