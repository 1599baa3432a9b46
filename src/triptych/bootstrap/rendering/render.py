"""`render`: pictures of a market in files, from a source that is named in one word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triptych.bootstrap.rendering.catalogue import require_known
from triptych.bootstrap.rendering.moments import Moments
from triptych.bootstrap.rendering.names import format_of
from triptych.bootstrap.rendering.opening import Reading, open_source
from triptych.bootstrap.rendering.plans import Plan, Style, make_plans
from triptych.bootstrap.rendering.wanted import ALL, wanted_encodings
from triptych.bootstrap.rendering.watching import Nobody, Watcher
from triptych.bootstrap.rendering.writing import Output, write_animations, write_pictures, write_sheet
from triptych.domain import AbstractClock


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendered:
    """What was drawn.

    Attributes:
        files: a JSON-ready description of each file.
        encodings: length, size and options of each encoding.
        notes: what was assumed about the source, or left out.
    """

    files: tuple[dict[str, Any], ...]
    encodings: dict[str, dict[str, Any]]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"files": list(self.files), "encodings": self.encodings, "notes": list(self.notes)}


def render(
    source: str,
    output: Output,
    *,
    encodings: Sequence[str] = (),
    options: Mapping[str, Mapping[str, Any]] | None = None,
    length: int | None = None,
    moments: Moments | None = None,
    style: Style | None = None,
    reading: Reading | None = None,
    watcher: Watcher | None = None,
    clock: AbstractClock | None = None,
) -> Rendered:
    """Draw windows of a market into files.

    Args:
        source: a file of candles or of order books; a recipe file or the name of a shipped recipe.
        output: where to, and in what form.
        encodings: names; `all` takes every encoding that can be drawn from the source. Of a recipe, none is needed:
            its own is drawn, with its options and its window.
        options: of each encoding by its name.
        length: rows of a window; None takes the recipe's, else each encoding's usual length.
        moments: which windows; None is the last one.
        style: how pictures look.
        reading: how the source is read.
        watcher: is told of progress.
        clock: tells now; a candle that has not closed by then is left out.

    Raises DataError, RecipeError, NotEnoughData and StorageError with what to do; all but the last before anything is
    written.
    """
    style = style or Style()
    for name in encodings:
        if name != ALL:
            require_known(name)
    ending = format_of(output.path, output.format)
    opened = open_source(source, reading or Reading(), clock=clock)
    beside = "sheet" in output.kind
    wanted = wanted_encodings(opened, encodings, options or {}, length, view=style.view, together=beside)
    plans = make_plans(
        opened.histories,
        wanted.options,
        length=wanted.length,
        moments=moments or Moments(),
        style=style,
        together=beside,
        lacking=wanted.lacking,
    )
    watcher = watcher or Nobody()
    if output.kind == "pictures":
        files = write_pictures(plans, output, output.format or ending or "png", watcher)
    elif output.kind == "sheet":
        files = write_sheet(plans, output, output.format or ending or "png", watcher)
    else:
        together = output.kind == "animated sheet"
        files = write_animations(plans, output, output.format or ending or "gif", watcher, together=together)
    described = {plan.name: _described(plan) for plan in plans}
    return Rendered(files=tuple(files), encodings=described, notes=(*opened.notes, *wanted.left_out, *_notes(plans)))


def _notes(plans: Sequence[Plan]) -> list[str]:
    return [note for plan in plans for note in plan.notes]


def _described(plan: Plan) -> dict[str, Any]:
    encoding = plan.encoding
    return {
        "length": encoding.length,
        "channels": encoding.channels,
        "height": encoding.height,
        "width": encoding.width,
        "scale": plan.scale,
        "options": dict(plan.options),
    }
