"""Multi-channel image: several encodings of one window behind one another, each a channel, all of one size.

By default red is the price (a candlestick chart in shades of grey), green the volume profile beside it, blue the
imbalance of the order book where there is one (a recipe with `data.books.path`, candles drawn with `--book`). Candles
alone have no such thing: a Gramian angular field of the closes stands in its place then. The image is that of its
members, drawn one by one, reduced to a channel, brought to `height` x `width` and stacked: nothing is scaled again.

A window holds the five fields of a candle where any member reads candles, then the columns of the other members, each
once. Members find theirs by name.

Source of the luminance: the weights of red, green and blue in ITU-R BT.709, whose primaries are those of #rrggbb.
Letters: B batch, T time, F columns of the window, C channels, H rows, W columns of the image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import torch
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from torch import Tensor, nn

from triptych.domain import CANDLE_FIELDS
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images import available, load
from triptych.images._common_size import CommonSize, Resampling
from triptych.images._cpu import Draws, as_array, drawn, takes_kernel
from triptych.images._options import in_words
from triptych.images._pixel_map import PixelMap, joined, resized
from triptych.images._scratch import Scratch
from triptych.images._window import check_length, check_window, full_precision
from triptych.images.base import AbstractEncoding

Reduction = Literal["mean", "luminance", "none"]

NAME = "multi_channel"
LUMINANCE = (0.2126, 0.7152, 0.0722)
SIZES = ("height", "width")
"""Options of a member that the whole image sets."""

MOST_CHANNELS = 64
"""Encodings in an image."""

CHUNK_PIXELS = 1_000_000
"""Pixels of members' images that are drawn before they are brought to the common size."""

DEFAULT: Any = (
    # Rising candles white, falling ones grey: in the usual green and red both are equally bright.
    # Without volume bars its prices stand at the height of those of the volume profile and of books.
    {
        "name": "candlestick",
        "reduce": "luminance",
        "up_color": "#ffffff",
        "down_color": "#808080",
        "volume": False,
    },
    {"name": "volume_profile"},
    {"name": "gasf"},
)

BESIDE_BOOKS_LEVELS = 10
"""Levels a side that the default channels read where there is an order book."""


def beside_books(levels: int = BESIDE_BOOKS_LEVELS) -> list[dict[str, Any]]:
    """The default channels where candles have an order book of `levels` levels a side beside them."""
    price, profile, _ = DEFAULT
    return [dict(price), dict(profile), {"name": "book_imbalance", "levels": min(levels, BESIDE_BOOKS_LEVELS)}]


class Channel(BaseConfig):
    """An encoding among the others. The options of that encoding stand beside its name, all but height and width."""

    model_config = ConfigDict(extra="allow")

    name: str = Field(description="Which encoding draws it.")
    reduce: Reduction = Field(
        default="mean",
        description="What becomes of an encoding's channels: their mean, the luminance of red, green and blue, or all "
        "of them side by side (none).",
    )

    @model_validator(mode="before")
    @classmethod
    def _write_out_the_options(cls, value: Any) -> Any:
        if isinstance(value, Channel):
            return value
        if not isinstance(value, Mapping) or "name" not in value:
            raise ValueError("a channel is a table with the name of an encoding: {name = 'gasf'}")
        own = {key: item for key, item in value.items() if key in cls.model_fields}
        options = {key: item for key, item in value.items() if key not in cls.model_fields}
        return {**own, **_written_out(value["name"], options)}

    @property
    def options(self) -> dict[str, Any]:
        """Options of the encoding."""
        return dict(self.model_extra or {})


class Config(BaseConfig):
    """Options of the multi-channel image."""

    channels: tuple[Channel, ...] = Field(
        default=DEFAULT,
        validate_default=True,
        description="Encodings with their options, in the order of the channels: {name = 'gasf', series = ['volume']}. "
        "`reduce` says what becomes of an encoding with several channels: their `mean` (unless told otherwise), the "
        "`luminance` of red, green and blue, or `none` to keep them all. Where nothing is said and the candles have an "
        "order book beside them, the third is {name = 'book_imbalance', levels = 10}.",
    )
    height: int = Field(default=64, ge=2, le=1024, description="Rows of the image in pixels.")
    width: int = Field(default=64, ge=2, le=4096, description="Columns of the image in pixels.")
    resize: Resampling = Field(
        default="bilinear",
        description="How an encoding that cannot be drawn at this size is brought to it: interpolated, or the nearest "
        "pixel.",
    )

    @field_validator("channels", mode="after")
    @classmethod
    def _some_but_not_too_many(cls, value: tuple[Channel, ...]) -> tuple[Channel, ...]:
        # Asked once all channels are read: as limits of the field, a wrong channel would be called a missing one too.
        if not 1 <= len(value) <= MOST_CHANNELS:
            raise ValueError(f"list 1 to {MOST_CHANNELS} encodings, there were {len(value)}")
        return value

    @model_validator(mode="after")
    def _members_can_have_the_size(self) -> Config:
        for place, channel in enumerate(self.channels):
            try:
                _member_config(channel, self)
            except ValidationError as error:
                raise ValueError(f"channels.{place}: {_in_words(channel.name, error)}") from error
        return self


class MultiChannel(AbstractEncoding):
    """Members one behind the other; values are in the range of the members', by default [0, 1].

    `differentiable` when all members are.
    """

    def __init__(self, config: Config, length: int) -> None:
        super().__init__()
        check_length("multi_channel", length)
        members = [_member(place, config, length) for place in range(len(config.channels))]
        self.length, self.height, self.width = length, config.height, config.width
        self.columns = _joined([member.columns for member in members])
        self.differentiable = all(member.differentiable for member in members)
        self.takes_scores = any(member.takes_scores for member in members)
        self.signed = any(getattr(member, "signed", False) for member in members)
        parts = [_Part(m, c, self.columns, config) for m, c in zip(members, config.channels, strict=True)]
        self.channels = sum(part.channels for part in parts)
        self.parts = nn.ModuleList(parts)

    def forward(self, window_BTF: Tensor) -> Tensor:
        """Encode; see `AbstractEncoding`."""
        check_window(window_BTF, self.length, self.columns, scores=self.takes_scores)
        if takes_kernel(window_BTF):
            return drawn(self, window_BTF)
        return torch.cat([part(window_BTF) for part in self.parts], dim=1)

    def draw(self, window_BTF: Tensor, image_BCHW: Tensor) -> None:
        """Encode into memory that is there; see `Draws`. Members draw some images at a time, into memory of theirs."""
        image, at = as_array(image_BCHW), 0
        with torch.no_grad(), full_precision(window_BTF):
            for part in self.parts:
                assert isinstance(part, _Part)
                part.draw(window_BTF, image, at)
                at += part.channels

    def blank(self) -> Tensor:
        return torch.cat([cast(_Part, part).blank() for part in self.parts])

    def pixel_map(self) -> PixelMap | None:
        maps = [cast(_Part, part).pixel_map() for part in self.parts]
        known = [one for one in maps if one is not None]
        return joined(known) if len(known) == len(maps) else None


class _Part(nn.Module):
    """One member: takes its columns of the window and brings its image to the common size."""

    def __init__(self, member: AbstractEncoding, channel: Channel, columns: Sequence[str], config: Config) -> None:
        super().__init__()
        self.member = member
        self.scratch = Scratch()
        self.has_kernel = isinstance(member, Draws)  # asked once: it takes longer than a small image
        places = [columns.index(column) for column in member.columns]
        self.first, self.count = places[0], len(places)
        self.is_block = places == list(range(places[0], places[0] + len(places)))
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.mixing = mixing = _mixing(channel.reduce, member.channels)
        self.size = config.height, config.width
        self.channels = member.channels if mixing is None else 1
        self.common = CommonSize(
            height=member.height,
            width=member.width,
            to=(config.height, config.width),
            mixing=mixing,
            resampling=config.resize,
        )

    def forward(self, window_BTF: Tensor) -> Tensor:
        """The member's image, shape (batch, channels that are kept, height, width)."""
        image_BCHW: Tensor = self.member(self._mine(window_BTF))
        with full_precision(window_BTF):
            common: Tensor = self.common(image_BCHW)
            return common

    def draw(self, window_BTF: Tensor, image: NDArray[Any], at: int) -> None:
        """The same into the channels of `image` from `at` on, a few images at a time: they stay in the cache."""
        member, dtype = self.member, window_BTF.dtype
        one = (member.channels, member.height, member.width)
        most = max(1, CHUNK_PIXELS // math.prod(one))
        # A power of two, so that batches of many sizes share a few pieces of memory.
        count = min(most, 1 << (max(len(window_BTF), 1) - 1).bit_length())
        with self.scratch.lend(((count, *one), dtype), ((count, member.length, self.count), dtype)) as memory:
            drawing_BCHW, mine_BTF = (torch.from_numpy(array) for array in memory)
            for start in range(0, len(window_BTF), count):
                some = window_BTF[start : start + count]
                drawing = drawing_BCHW[: len(some)]
                mine = self._mine(some, mine_BTF[: len(some)])
                if self.has_kernel:
                    cast(Draws, member).draw(mine, drawing)
                else:
                    drawing.copy_(member(mine))
                self.common.draw(drawing, image[start : start + count], at)

    def blank(self) -> Tensor:
        """The member's image that says nothing, as `forward` brings it to the common size."""
        common: Tensor = self.common(self.member.blank()[None])
        return common[0]

    def pixel_map(self) -> PixelMap | None:
        """What the member's pixels stand for, at the common size."""
        own = self.member.pixel_map()
        if own is None:
            return None
        mixing = None if self.mixing is None else self.mixing[0].numpy()
        return resized(own, *self.size, mixing)

    def _mine(self, window_BTF: Tensor, out: Tensor | None = None) -> Tensor:
        """The member's columns; with `out`, in one piece: where they are not, they are copied there."""
        if not self.is_block:
            return torch.index_select(window_BTF, -1, self.get_buffer("places"), out=out)
        mine = window_BTF.narrow(-1, self.first, self.count)
        return mine if out is None or mine.is_contiguous() else out.copy_(mine)


def build(config: Config, length: int) -> AbstractEncoding:
    """The encoding for windows of `length` rows.

    Raises RecipeError that names the channel when its encoding cannot be built for this length and size.
    """
    return MultiChannel(config, length)


def _written_out(name: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of an encoding but its size, ready for TOML and JSON. Raises ValueError that says what is wrong."""
    members = [known for known in available() if known != NAME]
    if name == NAME:
        raise ValueError("a multi_channel cannot be a channel: list its channels here")
    if name not in members:
        raise ValueError(f"unknown encoding {name!r}; known encodings: {', '.join(members)}")
    for size in SIZES:
        if size in options:
            raise ValueError(f"{name}: the {size} is that of the whole image: set it beside channels")
    try:
        config = load(name).Config(**options)
    except ValidationError as error:
        raise ValueError(_in_words(name, error)) from error
    # TOML has no word for None; an option that is None unless told otherwise is left out.
    fields = type(config).model_fields
    dumped = {k: v for k, v in config.model_dump(mode="json").items() if k not in SIZES}
    return {"name": name} | {k: v for k, v in dumped.items() if not (v is None and fields[k].default is None)}


def _in_words(name: str, error: ValidationError) -> str:
    return in_words(name, [option for option in load(name).Config.model_fields if option not in SIZES], error)


def _member_config(channel: Channel, config: Config) -> BaseConfig:
    """Options of a member, drawn at the common size where it can choose one."""
    kind: type[BaseConfig] = load(channel.name).Config
    size = {side: getattr(config, side) for side in SIZES if side in kind.model_fields}
    return kind(**channel.options, **size)


def _member(place: int, config: Config, length: int) -> AbstractEncoding:
    channel = config.channels[place]
    try:
        member: AbstractEncoding = load(channel.name).build(_member_config(channel, config), length)
    except RecipeError as error:
        raise RecipeError(f"encoding.channels.{place}: {error.message}", remedy=error.remedy) from error
    if channel.reduce == "luminance" and member.channels != len(LUMINANCE):
        raise RecipeError(
            f"encoding.channels.{place}: luminance is of red, green and blue, and {channel.name} draws "
            f"{member.channels} channel{'s' if member.channels > 1 else ''}.",
            remedy="Set reduce to mean or none.",
        )
    return member


def _mixing(reduce: Reduction, channels: int) -> Tensor | None:
    """Weights of an encoding's channels in the one that is kept, shape (1, channels); None keeps them as they are."""
    if reduce == "none" or channels == 1:
        return None
    weights = LUMINANCE if reduce == "luminance" else [1.0 / channels] * channels
    return torch.tensor([weights], dtype=torch.float64)


def _joined(columns: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The fields of a candle first, where any member reads one, then all other columns once."""
    candles = CANDLE_FIELDS if any(column in CANDLE_FIELDS for names in columns for column in names) else ()
    return tuple(dict.fromkeys([*candles, *(column for names in columns for column in names)]))
