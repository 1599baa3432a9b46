"""A search that is killed for certain: by itself, when a file takes its place for the n-th time."""

from __future__ import annotations

import sys

from tests.fakes.killed_command import command_and_die

if __name__ == "__main__":
    *arguments, name, count = sys.argv[1:]
    command_and_die(arguments, name, int(count), "before")
