"""What encodings there are: what each shows, what it reads, how large its image is, and its options."""

from __future__ import annotations

import difflib
import textwrap
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from pydantic import ValidationError

from triptych.bootstrap.rendering.looks import View, look_of
from triptych.domain import CANDLE_FIELDS, is_book_column
from triptych.domain import Config as BaseConfig
from triptych.domain.errors import RecipeError
from triptych.images import AbstractEncoding, available, load, multi_channel

CANDLES: Final = "candles"
BOOK: Final = "order book"
FACTORS: Final = "factors"
USUAL_LENGTH: Final = 60
MOST_VALUES: Final = 120_000_000
"""Of one image: half a gigabyte in single precision."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option of an encoding. `default` is JSON-ready; `kind` and `limits` are words."""

    name: str
    kind: str
    limits: str
    default: Any
    about: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One encoding with its default options, for windows of `length` rows.

    Attributes:
        name: of the encoding.
        about: what it shows, one sentence.
        reads: `candles`, `order book`, `factors`, or several of them.
        length: rows of the window that the sizes are given for.
        channels, height, width: of the image.
        low, high: ends of the range of its values.
        differentiable: whether gradients reach the values of the window.
        options: of its `Config`.
    """

    name: str
    about: str
    reads: tuple[str, ...]
    length: int
    channels: int
    height: int
    width: int
    low: float
    high: float
    differentiable: bool
    options: tuple[Option, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def encoding_catalogue(names: Iterable[str] | None = None) -> tuple[Entry, ...]:
    """Entries of the encodings named, or of all. RecipeError for an unknown name."""
    return tuple(_entry(name) for name in (available() if names is None else names))


def require_known(name: str) -> str:
    """The name, if there is such an encoding. RecipeError with the nearest names otherwise."""
    if name in available():
        return name
    near = difflib.get_close_matches(name.lower(), available(), n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise RecipeError(f"Unknown encoding {name!r}.", remedy=f"{hint}Known encodings: {', '.join(available())}.")


def make(name: str, length: int, options: Mapping[str, Any]) -> tuple[AbstractEncoding, BaseConfig]:
    """An encoding with options as a user writes them, and its validated options.

    Raises RecipeError that names every option that is unknown or wrong.
    """
    module = load(require_known(name))
    try:
        config = module.Config(**options)
    except ValidationError as error:
        known = list(module.Config.model_fields)
        problems = dict.fromkeys(_explain(name, known, item) for item in error.errors())
        raise RecipeError(
            " ".join(problems), remedy=f"`triptych encodings {name}` lists the options with their limits."
        ) from error
    encoding: AbstractEncoding = module.build(config, length)
    return encoding, config


def read_option(setting: str) -> tuple[str, str, Any]:
    """(encoding, option, value) of `NAME.OPTION=VALUE`; values are TOML, bare words are text.

    Raises RecipeError for another form.
    """
    key, separator, text = setting.partition("=")
    name, dot, option = (part.strip() for part in key.partition("."))
    if not (separator and dot and name and option):
        raise RecipeError(f"Cannot read --set {setting!r}.", remedy="Write it as NAME.OPTION=VALUE: gasf.size=32.")
    try:
        found = tomllib.loads(f"value = {text.strip()}")
    except tomllib.TOMLDecodeError:
        return name, option, text.strip()
    return name, option, found["value"] if len(found) == 1 else text.strip()


def for_view(
    name: str, length: int | None, options: Mapping[str, Any], view: View
) -> tuple[AbstractEncoding, dict[str, Any]]:
    """(An encoding as it is shown, its options JSON-ready). For people's eyes it may be larger than by default.

    `length` None takes the usual one. Errors as in `make`; RecipeError for an image that would fill the memory.
    """
    rows = usual_length(name) if length is None else length
    for_people = look_of(name).options(rows) if view == "people" else {}
    encoding, config = make(name, rows, {**for_people, **options})
    if encoding.channels * encoding.height * encoding.width > MOST_VALUES:
        raise RecipeError(
            f"{name}: an image of {encoding.channels} x {encoding.height} x {encoding.width} would fill the memory.",
            remedy="Shorten the window by --length, or draw it smaller: "
            f"`triptych encodings {name}` lists what sets its size.",
        )
    return encoding, config.model_dump(mode="json")


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """How much a history holds: levels of order book a side (None without a book), factors, instruments together."""

    levels: int | None
    factors: int
    instruments: int


def fitting(name: str, options: Mapping[str, Any], offer: Offer) -> Mapping[str, Any]:
    """The options, with those that count columns set to what there is, where the user does not say how many."""
    fields = load(require_known(name)).Config.model_fields
    fitted: dict[str, Any] = {}
    if "levels" in fields and offer.levels is not None:
        fitted["levels"] = min(int(fields["levels"].default), offer.levels)
    if name == multi_channel.NAME and offer.levels is not None:
        fitted["channels"] = multi_channel.beside_books(offer.levels)
    if "factors" in fields:
        fitted |= {"factors": offer.factors, "channels": offer.instruments}
    return {**fitted, **options}


def usual_length(name: str) -> int:
    """Rows of a window of this encoding where nobody says how many."""
    return look_of(name).length or USUAL_LENGTH


def value_range(encoding: AbstractEncoding) -> tuple[float, float]:
    """Ends of the range of the values of an image."""
    return (-1.0, 1.0) if getattr(encoding, "signed", False) else (0.0, 1.0)


def _entry(name: str) -> Entry:
    encoding, _ = make(name, usual_length(name), {})
    low, high = value_range(encoding)
    return Entry(
        name=name,
        about=about(name),
        reads=reads(encoding.columns),
        length=encoding.length,
        channels=encoding.channels,
        height=encoding.height,
        width=encoding.width,
        low=low,
        high=high,
        differentiable=encoding.differentiable,
        options=_options(load(name).Config),
    )


def about(name: str) -> str:
    """What an encoding shows: the first sentence of its file."""
    text = (load(name).__doc__ or name).strip().split("\n\n")[0]
    return textwrap.dedent(text).replace("\n", " ").strip()


def reads(columns: Iterable[str]) -> tuple[str, ...]:
    """Kinds of history that hold these columns."""
    found = {CANDLES if c in CANDLE_FIELDS else BOOK if is_book_column(c) else FACTORS for c in columns}
    return tuple(kind for kind in (CANDLES, BOOK, FACTORS) if kind in found)


def _explain(name: str, known: list[str], problem: Any) -> str:
    place = ".".join(str(part) for part in problem["loc"][:1]) or "options"
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(place, known, n=1)
        return f"{name} has no option {place!r}." + (
            f" Did you mean {near[0]!r}?" if near else f" It has: {', '.join(known) or 'none'}."
        )
    message = problem["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"{name}.{place}: {message} (was {problem['input']!r})."


def _options(config: type[BaseConfig]) -> tuple[Option, ...]:
    schema = config.model_json_schema()
    defaults = config().model_dump(mode="json")
    definitions = schema.get("$defs", {})
    return tuple(
        Option(
            name=name,
            kind=_kind(part, definitions),
            limits=_limits(part),
            default=defaults[name],
            about=part.get("description", ""),
        )
        for name, part in schema.get("properties", {}).items()
    )


_KINDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "null": "empty"}


def _kind(part: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in part:
        return _kind(definitions[part["$ref"].rsplit("/", 1)[-1]], definitions)
    if "anyOf" in part:
        return " or ".join(dict.fromkeys(_kind(one, definitions) for one in part["anyOf"]))
    if "enum" in part or "const" in part:
        return " | ".join(str(choice) for choice in part.get("enum", [part.get("const")]))
    if part.get("type") == "array":
        items = part.get("items") or (part.get("prefixItems") or [{}])[0]
        return f"list of {_kind(items, definitions)}"
    return _KINDS.get(part.get("type", ""), "table")


_SIGNS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _limits(part: Mapping[str, Any]) -> str:
    parts = [part, *part.get("anyOf", ())]
    return ", ".join(f"{sign} {one[key]:g}" for one in parts for key, sign in _SIGNS.items() if key in one)
