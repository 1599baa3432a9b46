"""Windows one after the other in one file: animated PNG, GIF or WebP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image

from triptych.bootstrap.rendering.names import Format
from triptych.bootstrap.rendering.stills import exif_of, text_of
from triptych.domain.errors import DataError

MOST_PIXELS: Final = 300_000_000
"""Of all frames together, which the writers hold in memory: about a gigabyte."""
LAST_FRAME_MS: Final = 1500
"""The newest window stays longer, so that it is seen before the animation begins anew."""


def require_few_frames(count: int, size: tuple[int, int]) -> None:
    """Raise DataError when an animation of `count` frames of `size` pixels would be too long for the memory."""
    most = MOST_PIXELS // (size[0] * size[1])
    if count > most:
        raise DataError(
            f"An animation of {count:,} windows of {size[0]} x {size[1]} pixels is too long; the most is {most:,}.",
            remedy="Ask for fewer windows (--last, --every), or a smaller --scale.",
        )


def encode_animation(frames: Iterator[Image.Image], count: int, *, about: str, format: Format, fps: float) -> bytes:
    """The content of an animated file that begins anew for ever.

    Args:
        frames: of one size.
        count: how many there are.
        about: description that is kept in the file.
        format: GIF is shown everywhere and has 256 colours a frame; PNG and WebP keep every pixel as it is.
        fps: frames a second.
    """
    duration_ms = max(20, round(1000 / fps))
    durations = [duration_ms] * (count - 1) + [max(duration_ms, LAST_FRAME_MS)]
    first = next(frames)
    buffer = io.BytesIO()
    if format == "gif":
        quantised = (_few_colours(one) for one in frames)
        _few_colours(first).save(
            buffer, "GIF", save_all=True, append_images=quantised, duration=durations, loop=0, disposal=1,
            comment="; ".join(text_of(about).values()).encode(),
        )  # fmt: skip
    elif format == "webp":
        first.save(
            buffer, "WEBP", save_all=True, append_images=frames, duration=durations, loop=0, lossless=True, method=2,
            exif=exif_of(about),
        )  # fmt: skip
    else:
        from PIL.PngImagePlugin import PngInfo

        text = PngInfo()
        for key, value in text_of(about).items():
            text.add_text(key, value)
        first.save(
            buffer, "PNG", save_all=True, append_images=list(frames), duration=durations, loop=0, compress_level=4,
            pnginfo=text,
        )  # fmt: skip
    return buffer.getvalue()


def _few_colours(frame: Image.Image) -> Image.Image:
    return frame.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
