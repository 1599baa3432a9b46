"""Attributes that a docstring explains together, one by one: the reference has a line for each."""

from __future__ import annotations

import re

_SHARED = re.compile(r"(?P<indent>\s+)(?P<names>\w+(?:, \w+)+): (?P<text>.*)")


def apart(lines: list[str]) -> list[str]:
    """The docstring with `a, b: text` of its section Attributes written as `a: text` and `b: text`.

    Napoleon would take `a,` for the type of `b`.
    """
    found: list[str] = []
    inside, position = False, 0
    while position < len(lines):
        line = lines[position]
        position += 1
        inside = line.strip() == "Attributes:" or (inside and (not line.strip() or line[0].isspace()))
        shared = _SHARED.fullmatch(line) if inside else None
        if shared is None:
            found.append(line)
            continue
        rest = []
        while position < len(lines) and lines[position].startswith(shared["indent"] + " "):
            rest.append(lines[position])
            position += 1
        for name in shared["names"].split(", "):
            found += [f"{shared['indent']}{name}: {shared['text']}", *rest]
    return found
