"""The house keeps its floors, and the check that says so bites."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "triptych"
FILES = sorted(SOURCE.rglob("*.py"))


def lint(root: Path) -> subprocess.CompletedProcess:
    """import-linter over the package below `root`, with the contracts of its pyproject.toml."""
    program = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as lint; lint()"
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=root, env=environment, capture_output=True, text=True
    )


def test_the_floors_hold():
    said = lint(ROOT)
    assert said.returncode == 0, said.stdout
    assert "Contracts: 3 kept, 0 broken." in said.stdout


@pytest.fixture
def house(tmp_path):
    """A copy of the package: same floors, every file with its imports only."""
    for path in FILES:
        copy = tmp_path / "src" / path.relative_to(ROOT / "src")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "line", "broken"),
    [
        ("domain/candle.py", "from triptych.models import registry", "Floors of the house"),
        ("images/gasf.py", "import triptych.models.registry", "Images, models and exchanges do not see one another"),
        ("trading/engine.py", "from triptych.backtest import tape", "Floors of the house"),
        ("inference/base.py", "from triptych.inference import artifact", "No cycles between the parts of a package"),
    ],
)
def test_a_planted_violation_is_found(house, place, line, broken):
    path = house / "src" / "triptych" / place
    path.write_text(f"{path.read_text()}\n{line}\n")
    said = lint(house)
    assert said.returncode == 1
    assert f"{broken} BROKEN" in said.stdout


def test_a_package_on_no_floor_is_found(house):
    (house / "src" / "triptych" / "attic").mkdir()
    (house / "src" / "triptych" / "attic" / "__init__.py").write_text("")
    said = lint(house)
    assert said.returncode == 1
    assert "attic" in said.stdout


def test_no_file_is_longer_than_400_lines():
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 400} == {}
    assert len(lengths) > 100


def test_nothing_prints_but_the_console():
    printing = [
        str(path.relative_to(SOURCE))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printing == ["cli/console.py"]


def test_modules_are_loaded_by_name_only_inside_the_folder_that_owns_the_names():
    """import-linter cannot see `import_module`: front doors of their own folders, and the encodings' own folder."""

    def doing(pattern: str) -> list[str]:
        return sorted(str(path.relative_to(SOURCE)) for path in FILES if re.search(pattern, path.read_text()))

    assert doing(r"\bimport_module\(") == ["__init__.py", "domain/on_demand.py", "images/__init__.py"]
    assert doing(r"= on_demand\(") == [f"{package}/__init__.py" for package in (
        "bootstrap", "inference", "market", "market/books", "settings"
    )]  # fmt: skip
    calls = [re.findall(r"on_demand\(.*", path.read_text()) for path in FILES if path.name == "__init__.py"]
    assert {call for found in calls for call in found} == {"on_demand(__name__, _HOMES)"}


def test_a_restarted_house_waits_for_no_network_library():
    """What live trading imports before it is reconciled; a model's own libraries come with its artifact."""
    program = (
        "import sys, triptych.live.runner, triptych.live.trader, triptych.bootstrap.settling\n"
        "heavy = {'torch', 'sklearn', 'pandas', 'polars', 'scipy', 'numba', 'onnxruntime', 'river', 'talib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_the_drawing_of_the_house_names_every_floor():
    text = (ROOT / "docs" / "architecture.md").read_text()
    floors = [path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()]
    assert [floor for floor in floors if not re.search(rf"\b{floor}\b", text)] == []


@pytest.mark.parametrize("document", ["docs/architecture.md", "docs/life-of-a-candle.md"])
def test_the_files_that_the_documents_name_are_there(document):
    named = re.findall(r"`([a-z_]+/[a-z_/]+(?:\.py)?)`", (ROOT / document).read_text())
    missing = [name for name in named if not any((base / name).exists() for base in (SOURCE, SOURCE.parent, ROOT))]
    assert missing == []
    assert len(named) > 3
