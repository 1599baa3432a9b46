from __future__ import annotations

import json

from triptych.images import available


def test_every_encoding_is_listed_with_what_it_reads_and_gives(run_command):
    said = run_command("encodings")
    assert (said.status, said.err) == (0, "")
    text = " ".join(said.out.replace("│", " ").split())
    for name in available():
        assert f" {name} " in text
    assert "60 rows of candles -> 3 x 64 x 64, values 0 .. 1, differentiable" in text
    assert "rows of order book -> " in text


def test_one_encoding_shows_its_options(run_command):
    said = run_command("encodings", "jkx")
    lines = said.out.splitlines()
    assert lines[0].startswith("The chart of Jiang, Kelly and Xiu")
    assert "With default options: 60 rows of candles -> 1 x 96 x 180, values 0 .. 1, not differentiable" in lines
    text = " ".join(said.out.replace("│", " ").split())
    assert "true or false false Draw by exact area coverage" in text
    assert "≥ 16, ≤ 600" in text


def test_json_has_all_of_it(run_command):
    entries = json.loads(run_command("encodings", "--json").out)
    assert [entry["name"] for entry in entries] == list(available())
    one = json.loads(run_command("encodings", "gasf", "--json").out)
    assert one == next(entry for entry in entries if entry["name"] == "gasf")
    assert one["options"][0] | {"about": ""} == {
        "name": "series", "kind": "list of open | high | low | close | volume | log_return | log_range", "limits": "",
        "default": ["close"], "about": "",
    }  # fmt: skip


def test_an_unknown_encoding_ends_with_status_2(run_command):
    said = run_command("encodings", "gassf")
    assert (said.status, said.out) == (2, "")
    assert said.error.startswith("Error: Unknown encoding 'gassf'. What to do: Did you mean gasf or gadf? Known")
