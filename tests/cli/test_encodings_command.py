from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import torch

from triptych.images import available

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "add-an-encoding.md"


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


@pytest.fixture
def example():
    """The worked example of the guide, as a module."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    module = ModuleType("return_map")
    exec(compile(code, str(GUIDE), "exec"), module.__dict__)  # our own document
    return module


def test_the_example_of_the_guide_keeps_the_contract(example):
    encoding = example.build(example.Config(), 24)
    close = 100 * torch.exp(0.01 * torch.randn(4, 24, generator=torch.Generator().manual_seed(1))).double()
    window = close[..., None].repeat(1, 1, 5).requires_grad_()
    image = encoding(window)
    assert image.shape == (4, encoding.channels, encoding.height, encoding.width) == (4, 1, 32, 32)
    assert image.min() >= 0
    assert image.max() == 1
    image.sum().backward()
    assert window.grad.isfinite().all()
    assert torch.allclose(encoding(1000 * window), image, atol=1e-9)
    assert encoding(torch.full((1, 24, 5), 7.0)).argmax() in (15 * 32 + 15, 15 * 32 + 16, 16 * 32 + 15, 16 * 32 + 16)
    torch.export.export(encoding, (window.detach().float(),))


def test_the_example_of_the_guide_shows_a_trend_in_a_corner(example):
    rise = (1.01 ** torch.arange(24)).double()[None, :, None].repeat(1, 1, 5)
    image = example.build(example.Config(), 24)(rise)[0, 0]
    assert image[0, -1] == 1
    assert image[16:, :16].max() < 1e-6
