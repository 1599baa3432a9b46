"""Pictures of the embedded market: every encoding there is, drawn at every build as `triptych render` draws it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from triptych.bootstrap.rendering import Entry, Moments, Style, encoding_catalogue
from triptych.bootstrap.rendering.catalogue import BOOK, CANDLES, FACTORS
from triptych.bootstrap.rendering.histories import History
from triptych.bootstrap.rendering.looks import look_of
from triptych.bootstrap.rendering.opening import invented_history
from triptych.bootstrap.rendering.plans import Plan, make_plans
from triptych.domain import utc
from triptych.market.synthetic import Config, synthesise

LENGTH = 48
"""Candles in a window, where an encoding does not ask for more."""
MOST_OF_A_MOMENT = 240
"""Of a longer window, moments are told by its end."""
PICTURE_PX, THUMBNAIL_PX, BANNER_PX, TITLE_PX, GAP_PX = 330, 220, 200, 22, 12
MOST_IN_BANNER = 7
SETTLED = 2200
"""Candles before the first that is shown: factors and their windows need a long history."""


def write_pictures(folder: Path) -> None:
    """Write the pictures, the page that shows them all (`encodings.md`), and the banner of the site."""
    images = folder / "images"
    images.mkdir(parents=True, exist_ok=True)
    candles = _market("15m")
    seconds = _market("1s")  # a book lives in seconds: in a quarter of an hour the price walks far out of its levels
    entries = encoding_catalogue()
    thumbnails, sections = [], []
    for entry in entries:
        history = seconds if BOOK in entry.reads else candles
        plan, moments = _plan(entry.name, history)
        _sheet(plan, moments).save(images / f"{entry.name}.png")
        thumbnail = Image.fromarray(next(iter(plan.pictures())))
        thumbnail.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS)
        thumbnail.save(images / f"thumbnail-{entry.name}.png")
        thumbnails += _card(entry)
        sections += _section(entry, plan, images)
    page = ["::::{grid} 2 3 4 4", ":gutter: 2", "", *thumbnails, "::::", "", *sections]
    (folder / "encodings.md").write_text("\n".join(page), encoding="utf-8")
    alone = [entry.name for entry in entries if entry.reads == (CANDLES,)]
    _banner([_plan(name, candles, LENGTH)[0] for name in alone[:MOST_IN_BANNER]]).save(images / "banner.png")


def _market(timeframe: str) -> History:
    config = Config(seed=21, n_candles=3400, instruments=1, timeframe=timeframe)
    return invented_history(synthesise(config), config.symbols[0])


def _moments(history: History, length: int) -> dict[str, int]:
    """Rows that end a telling window: the strongest rise, the strongest fall, and the least even of the others."""
    assert history.candles is not None
    close = np.log(history.candles.close)
    ends = np.arange(SETTLED, len(close))
    windows = close[ends[:, None] + np.arange(1 - length, 1)]
    change = windows[:, -1] - windows[:, 0]
    unrest = np.diff(windows, axis=1).std(axis=1)
    rise, fall = int(change.argmax()), int(change.argmin())
    apart = (np.abs(np.arange(len(ends)) - rise) > length) & (np.abs(np.arange(len(ends)) - fall) > length)
    uneven = int(np.where(apart, unrest, -1.0).argmax())
    return {"a rise": int(ends[rise]), "a fall": int(ends[fall]), "unrest": int(ends[uneven])}


def _plan(name: str, history: History, length: int | None = None) -> tuple[Plan, dict[str, int]]:
    """One encoding of the three moments, and the moments."""
    rows = length or look_of(name).length or LENGTH
    moments = _moments(history, min(rows, MOST_OF_A_MOMENT))
    times = tuple(utc(int(history.close_time_ms[row])) for row in moments.values())
    (plan,) = make_plans(
        [history], {name: {}}, length=rows, moments=Moments(at=times), style=Style(), together=False
    )  # fmt: skip
    ends = np.array(list(moments.values()), dtype=np.int64)
    plan = replace(plan, ends=ends)
    scale = max(1, PICTURE_PX // plan.encoding.width)
    return replace(plan, style=Style(scale=scale)), moments


def _sheet(plan: Plan, moments: dict[str, int]) -> Image.Image:
    """The three pictures side by side, every pixel as it is, under their titles."""
    pictures = list(plan.pictures())
    height, width = pictures[0].shape[:2]
    sheet = Image.new("RGBA", (3 * width + 2 * GAP_PX, TITLE_PX + height))
    draw = ImageDraw.Draw(sheet)
    for place, (title, picture) in enumerate(zip(moments, pictures, strict=True)):
        left = place * (width + GAP_PX)
        draw.text((left, 0), title, fill="#6b7280", font=ImageFont.load_default(13))
        sheet.paste(Image.fromarray(picture), (left, TITLE_PX))
    return sheet


def _banner(plans: list[Plan]) -> Image.Image:
    """One window through encodings of candles, side by side."""
    pictures = [Image.fromarray(next(iter(plan.pictures()))) for plan in plans]
    sized = [
        one.resize((round(one.width * BANNER_PX / one.height), BANNER_PX), Image.Resampling.NEAREST) for one in pictures
    ]
    banner = Image.new("RGBA", (sum(one.width + GAP_PX for one in sized) - GAP_PX, BANNER_PX))
    left = 0
    for one in sized:
        banner.paste(one, (left, 0))
        left += one.width + GAP_PX
    return banner


def _card(entry: Entry) -> list[str]:
    return [
        f":::{{grid-item-card}} {entry.name}",
        f":img-top: /reference/generated/images/thumbnail-{entry.name}.png",
        f":link: choose-an-encoding.html#{entry.name}",
        ":link-type: url",
        ":class-card: thumbnail",
        ":::",
        "",
    ]  # fmt: skip


def _section(entry: Entry, plan: Plan, images: Path) -> list[str]:
    lines = [
        f"## `{entry.name}`",
        "",
        entry.about,
        "",
        *_picture(entry.name, f"three windows drawn as {entry.name}"),
        f"Reads {' and '.join(entry.reads)}. By default {entry.length} rows become {entry.channels} × {entry.height} × "
        f"{entry.width} (channels × height × width). Here {plan.encoding.length} rows, {plan.encoding.height} × "
        f"{plan.encoding.width}, as drawn for people by",
        "",
        "```sh",
        f"triptych render {_source(entry)} --encoding {entry.name} --length {plan.encoding.length} --out pictures",
        "```",
        "",
    ]  # fmt: skip
    if FACTORS in entry.reads:
        for kind in ("wireframe", "shaded"):
            landscape = next(iter(replace(plan, style=Style(surface=kind), ends=plan.ends[:1]).pictures()))
            Image.fromarray(landscape).save(images / f"{entry.name}-{kind}.png")
            lines += _picture(f"{entry.name}-{kind}", f"{entry.name} as a landscape, {kind}")
        lines += ["The same window as a landscape, by `--surface wireframe` and `--surface shaded`.", ""]
    return lines


def _picture(name: str, alt: str) -> list[str]:
    place = f"/reference/generated/images/{name}.png"
    return [f"```{{image}} {place}", f":alt: {alt}", ":class: dark-light", "```", ""]


def _source(entry: Entry) -> str:
    if entry.reads == (BOOK,):
        return "BOOKS.parquet"
    return "CANDLES.parquet --book BOOKS.parquet" if BOOK in entry.reads else "CANDLES.parquet"
