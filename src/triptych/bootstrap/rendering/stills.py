"""One file a picture: the encodings draw in batches, threads compress and write meanwhile."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from triptych import __version__
from triptych.bootstrap.rendering.colouring import Painted
from triptych.bootstrap.rendering.names import SOFTWARE, Format, put
from triptych.bootstrap.rendering.plans import Plan
from triptych.bootstrap.rendering.png import encode_png, encode_pngs
from triptych.domain.files import sync_folder

Advance = Callable[[int], None]
"""Is told how many more pictures are done."""
SHARE = 32
"""Pictures that a thread takes at a time."""
AHEAD = 4
"""Shares per thread that may wait, so that drawing does not fill the memory."""


def write_stills(plan: Plan, paths: Sequence[Path], *, format: Format, workers: int, advance: Advance) -> None:
    """Write one file for each window of the plan. Raises StorageError when the disk refuses.

    Args:
        plan: what to draw.
        paths: of the files, in the order of the plan's windows.
        format: of the files.
        workers: threads that compress; drawing takes its own (those of torch).
        advance: told of progress.
    """
    for folder in {path.parent for path in paths}:
        folder.mkdir(parents=True, exist_ok=True)
    waiting: deque[Future[int]] = deque()
    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="triptych-render") as pool:
        try:
            for ends, painted in plan.painted():
                for first in range(0, len(ends), SHARE):
                    part = slice(first, first + SHARE)
                    share = Painted(pixels=painted.pixels[part], palette=painted.palette)
                    chosen = paths[done + first :][: len(share.pixels)]
                    waiting.append(pool.submit(_write_share, plan, ends[part], share, chosen, format))
                done += len(ends)
                while len(waiting) > AHEAD * workers:
                    advance(waiting.popleft().result())
            while waiting:
                advance(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()
    for folder in {path.parent for path in paths}:
        sync_folder(folder)


def _write_share(plan: Plan, ends: NDArray[np.int64], painted: Painted, paths: Sequence[Path], format: Format) -> int:
    abouts = [f"{plan.caption(end)}, {plan.name}, {plan.encoding.length} rows" for end in ends.tolist()]
    contents: Iterable[bytes]
    if format == "png":
        contents = encode_pngs(
            painted.pixels, palette=painted.palette, level=plan.style.level, smooth=plan.smooth,
            texts=map(text_of, abouts),
        )  # fmt: skip
    else:
        pictures = zip(painted.rgb(), abouts, strict=True)
        contents = (encode_still(Image.fromarray(one), about, format, plan.style.level) for one, about in pictures)
    for path, content in zip(paths, contents, strict=True):
        put(path, content)
    return len(paths)


def text_of(about: str) -> dict[str, str]:
    """What stands in every file about itself."""
    return {"Software": f"{SOFTWARE}, version {__version__}", "Description": about}


def encode_still(picture: Image.Image, about: str, format: Format, level: int) -> bytes:
    """A single picture in any format, with its description."""
    if format == "png":
        return encode_png(np.asarray(picture), level=level, smooth=True, text=text_of(about))
    buffer = io.BytesIO()
    if format == "webp":
        picture.save(buffer, "WEBP", lossless=True, method=1, exif=exif_of(about))
    else:
        quantised = picture if picture.mode in ("L", "P") else picture.quantize(256, dither=Image.Dither.NONE)
        quantised.save(buffer, "GIF", comment="; ".join(text_of(about).values()).encode())
    return buffer.getvalue()


def exif_of(about: str) -> Image.Exif:
    """The description as WebP keeps it."""
    exif = Image.Exif()
    exif[0x0131] = text_of(about)["Software"]
    exif[0x010E] = about
    return exif
