"""The encoding that `docs/how-to/add-an-encoding.md` writes passes the contract tests, as the page says it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "add-an-encoding.md"
PLUGIN = """
import triptych.images

triptych.images.__path__.append({folder!r})
"""


def test_the_worked_example_passes_every_contract_test(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "return_map.py").write_text(code, encoding="utf-8")
    (tmp_path / "with_return_map.py").write_text(PLUGIN.format(folder=str(folder)), encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), str(ROOT), *(part for part in sys.path if part)])
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "tests/contracts/test_encodings.py", "-k", "return_map", "-q",
            "-p", "with_return_map", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "inner"),
        ],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4_000:]
    passed = re.search(r"(\d+) passed", said)
    assert passed is not None
    assert int(passed[1]) > 30
