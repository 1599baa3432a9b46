"""Pictures of decisions, held against what the encoding itself draws."""

import json
import shutil
import struct
import zlib

import numpy as np
import pytest
import torch

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.dashboard.pictures import Pictures
from triptych.images import to_pixels
from triptych.inference import fingerprint, load_artifact, open_any_artifact


@pytest.fixture(scope="module")
def series(trained):
    (found,) = load_candles(open_run(trained).recipe).series
    return found


def rows_of(series):
    return {series.symbol: [(int(t), *map(float, v)) for t, v in zip(series.open_time_ms, series.values, strict=True)]}


def pixels_of(png):
    """The red, green and blue of a PNG of ours: rows are differences from the one above."""
    width, height = struct.unpack(">II", png[16:24])
    data = b""
    place = 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        if png[place + 4 : place + 8] == b"IDAT":
            data += png[place + 8 : place + 8 + length]
        place += 12 + length
    raw = np.frombuffer(zlib.decompress(data), dtype=np.uint8).reshape(height, -1)[:, 1:]
    return np.cumsum(raw, axis=0, dtype=np.uint8).reshape(height, width, 3)


def test_a_picture_is_what_the_networks_own_encoding_draws_of_that_window(trained, series):
    artifact = open_any_artifact(open_run(trained).artifact)
    end, length = 500, artifact.card.length
    close_ms = int(series.close_time_ms[end])
    name = artifact.card.name
    png = Pictures([trained]).picture(rows_of(series), series.symbol, close_ms, model=name, member=name)
    window = torch.from_numpy(series.values[end - length + 1 : end + 1].astype(np.float32))
    drawn = to_pixels((artifact.classifier().images(window[None]) + 0.0).clamp(0, 1))[0, ..., 0]
    found = pixels_of(png)
    scale = found.shape[0] // drawn.shape[0]
    assert found.shape == (*(side * scale for side in drawn.shape), 3)
    # One colour a value, whatever the colours are: pixels are equal exactly where values are.
    small = found[::scale, ::scale].reshape(-1, 3)
    colours = {}
    for value, colour in zip(drawn.ravel().tolist(), map(tuple, small.tolist()), strict=True):
        assert colours.setdefault(value, colour) == colour
    assert len(colours) > 20


def test_candles_after_the_decision_change_nothing(trained, series):
    rows = rows_of(series)
    close_ms = int(series.close_time_ms[500])
    name = open_any_artifact(open_run(trained).artifact).card.name
    cut = {series.symbol: rows[series.symbol][:501]}
    whole = Pictures([trained]).picture(rows, series.symbol, close_ms, model=name, member=name)
    assert Pictures([trained]).picture(cut, series.symbol, close_ms, model=name, member=name) == whole


def test_without_the_candle_that_was_decided_on_there_is_no_picture(trained, series):
    rows = rows_of(series)
    del rows[series.symbol][500]
    name = open_any_artifact(open_run(trained).artifact).card.name
    pictures = Pictures([trained])
    assert pictures.members(name) == (name,)
    for index in (500, 3):  # its own candle is missing; the window is not full
        close_ms = int(series.close_time_ms[index])
        assert pictures.picture(rows, series.symbol, close_ms, model=name, member=name) is None
    assert pictures.picture(rows, series.symbol, 0, model="another", member=name) is None


def test_a_decision_is_drawn_by_the_model_that_took_it_also_when_another_has_taken_its_place(trained, series, tmp_path):
    """The new model of the same name sees the same candles in another way."""
    run = shutil.copytree(trained, tmp_path / "run")
    place = open_run(run).artifact
    old = load_artifact(place)
    name, rows = old.card.name, rows_of(series)
    close_ms = int(series.close_time_ms[500])
    pictures = Pictures([run])

    def drawn(identity, by=pictures):
        assert by.members(name, identity) in ((name,), ())
        return by.picture(rows, series.symbol, close_ms, model=name, member=name, identity=identity)

    before = drawn(fingerprint(old)[:12])
    assert before is not None
    card = json.loads((place / "card.json").read_text())
    card["encoding"]["name"] = "gadf"
    (place / "card.json").write_text(json.dumps(card))
    new = load_artifact(place)
    after = drawn(fingerprint(new)[:12])
    assert after == drawn(fingerprint(new)[:12], Pictures([run]))
    assert after != before
    assert drawn(fingerprint(old)[:12]) == before
    # Who has never opened the old one says so, and does not draw by another.
    assert drawn(fingerprint(old)[:12], Pictures([run])) is None
    assert drawn("") == after  # a journal that does not tell


def middle(classifier, window, class_index):
    """Says that the middle of every picture made the decision."""
    found = np.zeros((classifier.encoding.height, classifier.encoding.width), dtype=np.float32)
    found[4:8, 4:8] = 1.0
    return found if class_index == 2 else None


def test_heat_is_laid_over_the_picture_where_there_is_one(trained, series):
    name = open_any_artifact(open_run(trained).artifact).card.name
    pictures, plain = Pictures([trained], middle), Pictures([trained])
    asked = {"model": name, "member": name}
    close_ms = int(series.close_time_ms[500])
    rows = rows_of(series)
    hot = pictures.picture(rows, series.symbol, close_ms, class_index=2, **asked)
    assert hot != pictures.picture(rows, series.symbol, close_ms, **asked)
    assert pictures.picture(rows, series.symbol, close_ms, class_index=0, **asked) is None
    assert plain.picture(rows, series.symbol, close_ms, class_index=2, **asked) is None
    assert (pictures.has_heat, plain.has_heat) == (True, False)


def test_a_run_that_is_not_there_is_told(tmp_path):
    pictures = Pictures([tmp_path / "none"])
    assert pictures.members("eye") == ()
    assert pictures.trouble.startswith("No pictures of none: ")
