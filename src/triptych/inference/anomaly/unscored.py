"""Streams that never come to a score, told aloud: a watch that is blind must not look like one that sees nothing."""

from __future__ import annotations

from triptych.inference.anomaly.sent_again import SENT_AGAIN
from triptych.inference.anomaly.stream import DetectorStream
from triptych.inference.watch import Reading


class Unscored:
    """Counts the rows of each symbol since its last score and says when they are too many to be a warm-up."""

    def __init__(self, stream: DetectorStream) -> None:
        self._stream = stream
        self._rows: dict[str, int] = {}
        self._scored: set[str] = set()
        self._last = ""

    def note(self, symbol: str, reading: Reading) -> str:
        """Take in a reading. Returns a warning after twice the detector's memory of rows without a score, and again
        whenever their number has doubled; else nothing. Rows that were sent again do not count: see `sent_again`."""
        if reading.reasons.startswith(SENT_AGAIN):
            return ""
        if reading.has_score:
            self._rows[symbol] = 0
            self._scored.add(symbol)
            return ""
        self._last = reading.reasons
        count = self._rows[symbol] = self._rows.get(symbol, 0) + 1
        patience = 2 * self._stream.memory
        if count % patience or (count // patience) & (count // patience - 1):
            return ""
        who = f" of {symbol!r}" if symbol else ""
        said = f"The last {count} rows{who} have no score, nothing is watched: the newest said {self._last!r}."
        return f"{said} {self._why()}"

    def at_the_end(self) -> str:
        """A warning where no row of some symbol ever had a score; else nothing."""
        blind = sorted(set(self._rows) - self._scored)
        if not blind:
            return ""
        names = ", ".join(repr(name) for name in blind[:5]) + (" and others" if len(blind) > 5 else "")
        rows = "No row" if blind == [""] else f"No row of {names}"
        return f"{rows} had a score: the last one said {self._last!r}. {self._why()}"

    def _why(self) -> str:
        stream = self._stream
        told = f"A score needs {stream.memory} rows without a break."
        if "gap" in self._last and stream.step is not None:
            usual = f"{stream.step:g}" if stream.clock == "count" else f"{stream.step / 1000.0:g} s"
            told += f" The usual step is {usual}: rows that come later than 1.5 times that, or earlier, start anew."
        return told
