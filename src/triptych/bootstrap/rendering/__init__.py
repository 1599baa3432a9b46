"""Pictures of a market: every encoding as files, contact sheets and animations."""

from triptych.bootstrap.rendering.catalogue import Entry, Option, encoding_catalogue
from triptych.bootstrap.rendering.moments import Moments
from triptych.bootstrap.rendering.opening import Reading
from triptych.bootstrap.rendering.plans import Style
from triptych.bootstrap.rendering.render import Rendered, render
from triptych.bootstrap.rendering.watching import Watcher
from triptych.bootstrap.rendering.writing import Output

__all__ = [
    "Entry",
    "Moments",
    "Option",
    "Output",
    "Reading",
    "Rendered",
    "Style",
    "Watcher",
    "encoding_catalogue",
    "render",
]
