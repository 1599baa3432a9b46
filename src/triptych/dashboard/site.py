"""The pages in the browser, each drawn from its twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI, Request
from nicegui import ui

from triptych.dashboard.doorman import SIGNED_IN
from triptych.dashboard.figures import candle_figure, equity_figure
from triptych.dashboard.pages import decisions, health, journal, orders, overview, runs
from triptych.dashboard.room import Room
from triptych.dashboard.shell import Chart, Choice, Region, Search, shell

ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 28 28" fill="#4f7fe8">'
    '<rect x="1" y="8" width="7" height="14" rx="1.5" opacity=".6"/>'
    '<rect x="10.5" y="5" width="7" height="18" rx="1.5"/>'
    '<rect x="20" y="8" width="7" height="14" rx="1.5" opacity=".6"/></svg>'
)
FEW: Final = 8
"""Instruments up to which each has a button; of more, one is found by its name."""
NO_CHART: Final[dict[str, Any]] = {
    "symbol": "", "candles": [], "step_ms": 0, "fills": [], "stops": [], "entry": None, "venue_stop": None,
    "venue_target": None,
}  # fmt: skip


def add_pages(app: FastAPI, room: Room) -> None:
    """Put the pages on an application that has the twins already."""

    @ui.page("/", title="Overview · Triptych")
    def _overview(request: Request) -> None:
        _draw_overview(room, _is_signed_in(request))

    @ui.page("/decisions", title="Decisions · Triptych")
    def _decisions(request: Request) -> None:
        _draw_decisions(room, _is_signed_in(request))

    @ui.page("/orders", title="Orders · Triptych")
    def _orders(request: Request) -> None:
        _draw_orders(room, _is_signed_in(request))

    @ui.page("/health", title="Health · Triptych")
    def _health(request: Request) -> None:
        with shell(room, "health", signed_in=_is_signed_in(request)) as refreshers:
            region = Region("health")
            refreshers.append(lambda: region.show(health.twin(room)))

    @ui.page("/journal", title="Journal · Triptych")
    def _journal(request: Request) -> None:
        _draw_journal(room, _is_signed_in(request))

    @ui.page("/runs", title="Runs · Triptych")
    def _runs(request: Request) -> None:
        with shell(room, "runs", signed_in=_is_signed_in(request)) as refreshers:
            region = Region("runs")
            refreshers.append(lambda: region.show(runs.twin(room)))

    ui.run_with(app, title="Triptych", favicon=ICON, dark=None, tailwind=False, show_welcome_message=False)


def _is_signed_in(request: Request) -> bool:
    return bool(request.scope.get(SIGNED_IN))


def _draw_overview(room: Room, signed_in: bool) -> None:
    with shell(room, "overview", signed_in=signed_in) as refreshers:
        cards = Region("cards")
        symbols = room.desk.symbols
        choice = Choice({one: one for one in symbols}, label="Instrument") if len(symbols) > 1 else None
        with ui.element("div").classes("t-split"):
            with ui.element("div").classes("t-stack"):
                with ui.element("section").classes("t-panel"):
                    title = Region("chart_title")
                    candles = Chart(candle_figure, NO_CHART)
                with ui.element("section").classes("t-panel"):
                    ui.html("<h2>Equity</h2>", sanitize=False)
                    equity = Chart(equity_figure, [], "low")
                latest = Region("latest", "t-panel")
            with ui.element("div").classes("t-stack"):
                positions = Region("positions", "t-panel")
                newest = Region("newest", "t-panel")

        def refresh() -> None:
            content = overview.twin(room, choice.value if choice is not None else "")
            for region in (cards, title, positions, newest, latest):
                region.show(content)
            candles.show(content["chart"])
            equity.show(content["equity"])

        _also_on(choice, refresh)
        refreshers.append(refresh)


def _draw_decisions(room: Room, signed_in: bool) -> None:
    with shell(room, "decisions", signed_in=signed_in) as refreshers:
        symbols = room.desk.symbols
        with ui.element("div").classes("t-choices"):
            acted = Choice({"": "all", "acted": "with orders"}, label="Decisions")
            names = {"": "all instruments", **{one: one for one in symbols}}
            symbol = Choice(names, label="Instrument") if 1 < len(symbols) <= FEW else None
            search = Search(label="Instrument, reason, model, time")
        region = Region("decisions")

        def refresh() -> None:
            chosen = symbol.value if symbol is not None else ""
            region.show(decisions.twin(room, acted=bool(acted.value), symbol=chosen, search=search.value))

        _also_on(acted, refresh)
        _also_on(search, refresh)
        _also_on(symbol, refresh)
        refreshers.append(refresh)


def _draw_orders(room: Room, signed_in: bool) -> None:
    with shell(room, "orders", signed_in=signed_in) as refreshers:
        phase = Choice(
            {"": "all", "unknown": "unknown now", "was unknown": "were unknown", "filled": "filled",
             "rejected": "refused", "cancelled": "withdrawn"}, label="Orders",
        )  # fmt: skip
        region = Region("orders", "t-stack")

        def refresh() -> None:
            region.show(orders.twin(room, phase=phase.value))

        _also_on(phase, refresh)
        refreshers.append(refresh)


def _draw_journal(room: Room, signed_in: bool) -> None:
    with shell(room, "journal", signed_in=signed_in) as refreshers:
        top = Region("journal")
        with ui.element("div").classes("t-choices"):
            group = Choice({"": "all", **{name: name for name in journal.GROUPS}}, label="Entries")
            search = Search(label="Words of an entry")
        entries = Region("entries", "t-panel")

        def refresh() -> None:
            content = journal.twin(room, group=group.value, search=search.value)
            top.show(content)
            entries.show(content)

        _also_on(group, refresh)
        _also_on(search, refresh)
        refreshers.append(refresh)


def _also_on(choice: Choice | Search | None, refresh: Callable[[], None]) -> None:
    """Draw at once when something else is chosen."""
    if choice is not None:
        choice.on_change = refresh
