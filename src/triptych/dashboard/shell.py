"""What surrounds every page: navigation, status, theme, switch; and regions that are drawn again when they change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from markupsafe import escape
from nicegui import ui
from nicegui.events import GenericEventArguments

from triptych.dashboard.drawing import render
from triptych.dashboard.room import Room, instance
from triptych.dashboard.switch_dialog import SwitchDialog

PAGES: Final = (
    ("overview", "/", "Overview"), ("decisions", "/decisions", "Decisions"), ("orders", "/orders", "Orders"),
    ("health", "/health", "Health"), ("journal", "/journal", "Journal"), ("runs", "/runs", "Runs"),
)  # fmt: skip
"""Name, path and title of every page, in order."""
EVERY_S: Final = 1.0
HEAD: Final = (
    '<script src="/static/theme.js"></script><link rel="stylesheet" href="/static/dashboard.css">'
    '<meta name="color-scheme" content="light dark">'
)
MOON: Final = (
    '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 14.5A8 8 0 1 1 9.5 4 6.5 6.5 0 0 0 20 14.5z"/></svg>'
)


class Region:
    """A part of a page, drawn from a template; sent to the browser only when it has changed."""

    def __init__(self, template: str, *classes: str) -> None:
        self._template, self._text = template, ""
        # Templates escape whatever they are given, so nothing is left to clean.
        self._element = ui.html("", sanitize=False).classes(" ".join(("t-region", *classes)))

    def show(self, content: Mapping[str, Any]) -> None:
        """Draw `content`, the twin of the page or a part of it."""
        text = render(self._template, content).strip()  # nothing at all takes no room
        if text != self._text:
            self._text = text
            self._element.set_content(text)


class Choice:
    """One of a few, as buttons side by side.

    Attributes:
        value: what is chosen.
    """

    def __init__(self, options: Mapping[str, str], *, label: str) -> None:
        """Offer values by their words; the first is chosen. `label` says what is chosen, to those who cannot see it."""
        self.value = next(iter(options))
        self.on_change: Callable[[], None] = lambda: None
        self._buttons: dict[str, Any] = {}
        with ui.element("div").classes("t-choice").props(f'role=group aria-label="{label}"'):
            for value, words in options.items():
                button = ui.element("button").props('type="button"')
                with button:
                    ui.html(str(escape(words)), sanitize=False, tag="span")
                button.on("click", lambda _, value=value: self._choose(value))
                self._buttons[value] = button
        self._mark()

    def _choose(self, value: str) -> None:
        self.value = value
        self._mark()
        self.on_change()

    def _mark(self) -> None:
        for value, button in self._buttons.items():
            button.props(f'aria-pressed="{str(value == self.value).lower()}"')


class Search:
    """A field for words to look for.

    Attributes:
        value: what stands in it.
    """

    def __init__(self, *, label: str) -> None:
        """An empty field; `label` says what is looked for."""
        self.value = ""
        self.on_change: Callable[[], None] = lambda: None
        field = ui.element("input").classes("t-search")
        field.props(f'type="search" placeholder="{label}" aria-label="{label}" data-testid="search" maxlength="80"')
        field.on("input", self._typed, js_handler="(event) => emit(event.target.value)", throttle=0.2)

    def _typed(self, event: GenericEventArguments) -> None:
        self.value = str(event.args).strip()
        self.on_change()


class Chart:
    """A Plotly figure; sent to the browser only when its content has changed."""

    def __init__(self, figure: Callable[[Any], dict[str, Any]], empty: Any, *classes: str) -> None:
        self._figure, self._content = figure, empty
        self._element = ui.plotly(figure(empty)).classes(" ".join(("t-plot", *classes)))

    def show(self, content: Any) -> None:
        """Draw `content`, a part of a twin."""
        if content != self._content:
            self._content = content
            self._element.update_figure(self._figure(content))


@contextmanager
def shell(room: Room, active: str, *, signed_in: bool) -> Iterator[list[Callable[[], None]]]:
    """The frame of a page. Yields a list: what is put there is called now and every second.

    Args:
        room: to look at.
        active: name of the page.
        signed_in: whether the browser has shown the token; otherwise the switch asks for it.
    """
    ui.add_head_html(HEAD)
    with ui.element("header").classes("t-top"):
        ui.html(render("nav", {"pages": PAGES, "active": active}), sanitize=False).style("display: contents")
        status = Region("status", "t-where")
        with ui.button(color=None).props('flat aria-label="Light or dark"').classes("t-icon") as theme:
            ui.html(MOON, sanitize=False).style("display: flex")
        theme.on("click", js_handler="() => window.triptychTheme()")
        if room.desk.is_live:
            dialog = SwitchDialog(room.desk, signed_in=signed_in)
            stop = (
                ui.button("Stop trading", on_click=dialog.open, color=None)
                .classes("t-stop")
                .props('flat data-testid="stop"')
            )
    refreshers: list[Callable[[], None]] = []
    with ui.element("main").classes("t-main"):
        banner = Region("banner")
        yield refreshers

    def refresh() -> None:
        top = {"instance": instance(room.desk)}
        status.show(top)
        banner.show(top)
        if room.desk.is_live:
            runs = top["instance"]["switch"] == "run"
            stop.set_text("Stop trading" if runs else "Trade again …")
            stop.classes(remove="again") if runs else stop.classes(add="again")
        for one in refreshers:
            one()

    refresh()
    ui.timer(EVERY_S, refresh)
