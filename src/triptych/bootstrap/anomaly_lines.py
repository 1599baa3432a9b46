"""Lines of a stream as rows: one JSON object each, or CSV below a header, whichever comes first."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from triptych.bootstrap.separated import DECIMAL_COMMA, fields_of
from triptych.domain.errors import ColumnError, DataError
from triptych.inference.anomaly.time_texts import number_in
from triptych.market.delimited import SEPARATORS


class LineReader:
    """Turns lines into rows by name; a line that is no row is an empty one, and the stream goes on."""

    def __init__(self, channels: Sequence[str], others: Sequence[str] = ()) -> None:
        """Expect rows of these channels, beside which columns with other names that matter may stand."""
        self._channels, self._others = tuple(channels), tuple(others)
        self._names: list[str] = []
        self._separator = ""  # of CSV; empty where rows are JSON, or nothing has said yet what they are
        self._known = False
        self._decimal_comma = False

    def read(self, line: str) -> dict[str, Any] | None:
        """The row of a line, its channels as numbers where CSV holds any; None for a header, which is no row.

        Raises DataError for lines of numbers without a header before them, ColumnError for a header that lacks a
        channel or names a column twice: so the whole stream would be without a score.
        """
        if self._separator:
            return self._of_fields(fields_of(line, self._separator))
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            if not self._known and self._begins_csv(line):
                return None
            return {}
        self._known = self._known or isinstance(row, dict)
        return row if isinstance(row, dict) else {}

    def _begins_csv(self, line: str) -> bool:
        """Whether a line is a header; takes it in if so."""
        by_separator = {one: self._named(fields_of(line, one)) for one in SEPARATORS}
        separator = max(SEPARATORS, key=lambda one: len({*by_separator[one]} & {*self._channels}))
        names = by_separator[separator]
        missing = [name for name in self._channels if name not in names]
        if missing and self._is_bare(by_separator.values()):  # channels may be called 0 and 1
            raise DataError(
                "The first line of the stream holds numbers and no names: which channels they are of is unknown.",
                remedy="Begin with the header of the file (`tail -n +1 -f FILE`), or send one JSON object a line.",
            )
        if len(missing) == len(self._channels):
            return False
        if missing:
            raise ColumnError(
                f"The header of the stream has no column {missing[0]!r}, which the detector was fitted on.",
                remedy=f"Its columns are {', '.join(names)}.",
            )
        for name in (*self._channels, *self._others):
            if names.count(name) > 1:
                raise ColumnError(
                    f"{names.count(name)} columns of the stream are called {name!r}.", remedy="Give each its own name."
                )
        self._names, self._separator = names, separator
        return True

    def _named(self, fields: Sequence[str]) -> list[str]:
        """Names of a header; blanks around one count only where the fit had them too."""
        wanted = {*self._channels, *self._others}
        return [one if one in wanted else one.strip() for one in fields]

    def _is_bare(self, split: Iterable[Sequence[str]]) -> bool:
        """Whether a line, split in one way or another, holds as many numbers as there are channels."""
        return any(len(one) > 1 and sum(map(_is_number, one)) >= len(self._channels) for one in split)

    def _of_fields(self, fields: Sequence[str]) -> dict[str, Any] | None:
        if len(fields) > len(self._names):
            return {}
        row: dict[str, Any] = {name: text or None for name, text in zip(self._names, fields, strict=False)}
        if self._named(fields) == self._names:  # the file was begun anew
            return None
        texts = {name: row[name] or "" for name in self._channels if name in row}
        if self._separator != "," and any(re.match(DECIMAL_COMMA, text) for text in texts.values()):
            self._decimal_comma = True
        return row | {name: self._number(text) for name, text in texts.items()}

    def _number(self, text: str) -> float:
        """NaN for what is no number, and for a point where numbers have a decimal comma, as in `read_separated`."""
        if not self._decimal_comma:
            return number_in(text)
        return number_in("" if "." in text else text.replace(",", ".", 1))


def _is_number(text: str) -> bool:
    return not math.isnan(number_in(text.replace(",", ".") if re.match(DECIMAL_COMMA, text) else text))
