"""Pictures of the embedded market: every encoding there is, drawn at every build."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from triptych import SyntheticConfig, create_encoding, list_encodings, synthesise
from triptych.domain import CLOSE, HIGH, LOW, CandleSeries
from triptych.images import AbstractEncoding, load

LENGTH = 48
"""Candles in a window."""
OPTIONS: dict[str, dict[str, Any]] = {
    "candlestick": {"height": 96, "width": 144},
    "gasf": {"series": ("close", "volume", "log_return")},
    "gadf": {"series": ("close", "volume", "log_return")},
}
"""What is drawn other than by default: charts large enough for people, fields with a channel for each colour."""


def write_pictures(folder: Path) -> None:
    """Write a sheet for each encoding, the page that shows them all (`encodings.md`), and the banner of the site."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    series = synthesise(SyntheticConfig(seed=21, n_candles=3000, instruments=1)).series[0]
    moments = _moments(series)
    lines = []
    for name in list_encodings():
        encoding = create_encoding(name, LENGTH, **OPTIONS.get(name, {}))
        _sheet(encoding, series, moments).savefig(folder / "images" / f"{name}.png", dpi=110, transparent=True)
        lines += _entry(name, encoding)
    (folder / "encodings.md").write_text("\n".join(lines), encoding="utf-8")
    _banner(series, moments["a rise"]).savefig(folder / "images" / "banner.png", dpi=110, transparent=True)


def _moments(series: CandleSeries) -> dict[str, int]:
    """Candles that end a telling window: the strongest rise and fall, and the least even one."""
    ends = np.arange(LENGTH - 1, len(series))
    windows = series.windows(ends, LENGTH)
    change = windows[:, -1, CLOSE] / windows[:, 0, CLOSE] - 1.0
    unrest = np.log(windows[..., HIGH] / windows[..., LOW]).std(axis=1)
    return {
        "a rise": int(ends[change.argmax()]),
        "a fall": int(ends[change.argmin()]),
        "unrest": int(ends[unrest.argmax()]),
    }


def _image(encoding: AbstractEncoding, series: CandleSeries, end: int) -> NDArray[np.float64]:
    """Image of one window, (height, width, 3) or (height, width)."""
    with torch.inference_mode():
        image: NDArray[np.float64] = encoding(torch.from_numpy(series.windows(np.array([end]), LENGTH)))[0].numpy()
    return image.transpose(1, 2, 0) if len(image) == 3 else image[0]


def _sheet(encoding: AbstractEncoding, series: CandleSeries, moments: dict[str, int]) -> Figure:
    ratio = encoding.height / encoding.width
    figure = Figure(figsize=(9.0, 3.0 * ratio + 0.35), layout="constrained")
    for place, (title, end) in zip(figure.subplots(1, len(moments)), moments.items(), strict=True):
        place.imshow(_image(encoding, series, end), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        place.set_title(title, fontsize=9, color="#6b7280")
        place.set_axis_off()
    return figure


def _entry(name: str, encoding: AbstractEncoding) -> list[str]:
    about = (load(name).__doc__ or "").strip().splitlines()[0]
    size = f"{encoding.channels} × {encoding.height} × {encoding.width}"
    options = ", ".join(f"{key} = {value!r}" for key, value in OPTIONS.get(name, {}).items()).replace("'", '"')
    return [
        f"## `{name}`",
        "",
        about,
        "",
        f"```{{image}} /reference/generated/images/{name}.png",
        f":alt: three windows drawn as {name}",
        ":class: dark-light",
        "```",
        "",
        f"{size} (channels × height × width) for {LENGTH} candles, drawn with "
        + (f"`{options}`." if options else "its defaults."),
        "",
    ]


def _banner(series: CandleSeries, end: int) -> Figure:
    """One window through every encoding, side by side."""
    encodings = [create_encoding(name, LENGTH, **OPTIONS.get(name, {})) for name in list_encodings()]
    widths = [encoding.width / encoding.height for encoding in encodings]
    figure = Figure(figsize=(1.9 * sum(widths), 1.9), layout="constrained")
    places = np.atleast_1d(figure.subplots(1, len(encodings), width_ratios=widths))
    for place, encoding in zip(places, encodings, strict=True):
        place.imshow(_image(encoding, series, end), cmap=mpl.colormaps["gray"], vmin=0, vmax=1, interpolation="nearest")
        place.set_axis_off()
    return figure
