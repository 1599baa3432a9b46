"""The switch: close positions, open nothing, or trade again; asked for twice, and never without the token."""

from __future__ import annotations

from typing import Any, Literal

from markupsafe import escape
from nicegui import ui

from triptych.dashboard.desk import Desk
from triptych.live.control import SessionError

Turn = Literal["killed", "close_only", "run"]


class SwitchDialog:
    """One dialog a page. The session itself holds token and name against its own; nothing is decided here."""

    def __init__(self, desk: Desk, *, signed_in: bool) -> None:
        """Ask for the token unless the browser is signed in."""
        self._desk, self._signed_in = desk, signed_in
        with ui.dialog() as self._dialog, ui.card().classes("t-dialog"):
            self._content = ui.element("div").style("display: contents")

    def open(self) -> None:
        """Show what may be done now."""
        self._content.clear()
        with self._content:
            self._draw()
        self._dialog.open()

    def _draw(self) -> None:
        state = self._desk.state
        if state is None:
            ui.html("<h2>The session does not answer</h2>", sanitize=False)
            ui.label("Nothing can be switched from here. Stops lie at the venue; close positions there if need be.")
            return
        runs = state["switch"]["state"] == "run"
        ui.html("<h2>Stop trading</h2>" if runs else "<h2>Trade again</h2>", sanitize=False)
        if runs:
            ui.html(
                "<p><b>Kill</b> closes every position at the market now and decides nothing more. <b>Close only</b> "
                "opens nothing, and looks after what is held. Both hold over restarts, until somebody turns it back."
                "</p>",
                sanitize=False,
            )
        else:
            ui.html("<p>From the next close on the models decide again, within all limits.</p>", sanitize=False)
        name = str(state["name"])
        confirm = _field(f'Type "{name}" to confirm', "confirm")
        token = None if self._signed_in else _field("Token", "token", password=True)
        reason = _field("Reason, for the journal", "reason")
        trouble = ui.label("").classes("t-trouble").props('role=alert data-testid="trouble"')

        async def turn(switch: Turn) -> None:
            assert self._desk.session is not None
            try:
                done = await self._desk.session.turn(
                    switch, confirm=confirm.value.strip(), reason=reason.value.strip(),
                    token=None if token is None else token.value.strip(),
                )  # fmt: skip
            except SessionError as error:
                trouble.set_text(error.message)
                return
            self._dialog.close()
            await self._desk.look()
            words = {"killed": outcome_of_kill(done), "run": "It trades again."}
            bad = switch == "killed" and bool(done["problems"])
            ui.notify(
                words.get(switch, "It only closes from now on."),
                type="negative" if bad else "warning" if runs else "positive",
            )

        with ui.element("div").classes("t-actions"):
            ui.button("Cancel", on_click=self._dialog.close, color=None).props("flat").classes("plain")
            if runs:
                ui.button("Close only", on_click=lambda: turn("close_only"), color=None).props("flat").classes("soft")
                hard = ui.button("Kill, close everything", on_click=lambda: turn("killed"), color=None)
                hard.props('unelevated data-testid="kill"').classes("hard")
            else:
                ui.button("Trade again", on_click=lambda: turn("run"), color=None).props("unelevated").classes("go")


def outcome_of_kill(done: dict[str, Any]) -> str:
    """What a session answered to a kill, in words."""
    if done["closed"]:
        return "Killed. The venue holds nothing."
    words = "Killed. Not closed yet, and tried again until the venue is flat"
    details = [*done["pending"], *done["problems"]]
    return f"{words}: {'; '.join(details)}." if details else f"{words}."


def _field(label: str, name: str, *, password: bool = False) -> ui.input:
    with ui.element("label").classes("t-field"):
        ui.html(str(escape(label)), sanitize=False, tag="span")
        field = ui.input(password=password)
        field.props(f'outlined dense autocomplete=off data-testid="{name}"')
    return field
