"""What every key of a recipe means: generated from the settings themselves, so it cannot grow stale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from datetime import datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
import tomli_w
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from triptych.settings.recipe import ENCODINGS, Recipe


def annotated_toml(recipe: Recipe) -> str:
    """The complete recipe as TOML with a comment on every key."""
    return "\n".join(_section_toml(recipe, "")).strip() + "\n"


def reference_markdown(
    model: type[BaseModel] = Recipe,
    *,
    title: str = "Recipe reference",
    about: str = "Every key of a recipe, generated from the settings. Times are UTC.",
) -> str:
    """The reference of a recipe, or of other settings: one table per section, with types, defaults and limits."""
    lines = [f"# {title}", "", about, ""]
    for title, section in _sections(model, ""):
        lines += [f"## {title or 'Top level'}", ""]
        if section.__doc__:
            lines += [section.__doc__.strip().splitlines()[0], ""]
        lines += ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
        for name, field in section.model_fields.items():
            by_name = section is model and name == "encoding"  # a section of its own for each encoding
            if _model_of(field) is None and not by_name:
                meaning = (field.description or "").replace("|", "\\|")
                lines.append(f"| `{name}` | {_type_words(field)} | {_default_words(field)} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield (f"`[{path}]`" if path else ""), model
    for name, field in model.model_fields.items():
        place = f"{path}.{name}" if path else name
        if place == "encoding":
            for encoding, config in ENCODINGS.items():
                yield f'`[encoding]` with `name = "{encoding}"`', config
            continue
        child = _model_of(field)
        if child is not None:
            yield from _sections(child, place)


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    annotation = field.annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def _section_toml(section: BaseModel, path: str) -> list[str]:
    lines, children = [], []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            children += _section_toml(value, f"{path}.{name}" if path else name)
            continue
        lines += textwrap.wrap(field.description or "", 110, initial_indent="# ", subsequent_indent="# ")
        if value is None:
            lines.append(f"# {name} =")
        else:
            lines.append(f"{name} = {_inline(section.model_dump(mode='json', include={name})[name])}")
    head = ["", f"[{path}]"] if path else []
    return head + lines + children


def _inline(value: Any) -> str:
    """A TOML value on one line."""
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{_inline_key(key)} = {_inline(item)}" for key, item in value.items() if item is not None)
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, datetime):
        value = value.isoformat()
    return tomli_w.dumps({"x": value}).removeprefix("x = ").strip()


def _inline_key(key: str) -> str:
    return tomli_w.dumps({key: 0}).strip().removesuffix(" = 0")


def _type_words(field: FieldInfo) -> str:
    words = _annotation_words(field.annotation)
    limits = [
        f"{sign} {_limit(getattr(limit, name))}"
        for limit in field.metadata
        for kind, name, sign in (
            (annotated_types.Ge, "ge", "≥"),
            (annotated_types.Gt, "gt", ">"),
            (annotated_types.Le, "le", "≤"),
            (annotated_types.Lt, "lt", "<"),
        )
        if isinstance(limit, kind)
    ]
    return ", ".join([words, *limits])


def _limit(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _annotation_words(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotation_words(get_args(annotation)[0])
    if origin is Literal:
        return " \\| ".join(f"`{choice!r}`".replace("'", '"') for choice in get_args(annotation))
    if origin in (Union, UnionType):
        parts = [_annotation_words(part) for part in get_args(annotation) if part is not type(None)]
        return " or ".join(dict.fromkeys(parts))
    if origin in (tuple, list):
        return f"list of {_annotation_words(get_args(annotation)[0])}"
    if origin is dict:
        return "table"
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", datetime: "time"}
    return names.get(annotation, str(getattr(annotation, "__name__", annotation)))


def _default_words(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    return "" if default is None else f"`{_inline(default)}`".replace("|", "\\|")
