from __future__ import annotations

import subprocess
import sys

import triptych


def test_the_public_names_are_these() -> None:
    assert triptych.__all__ == [
        "CandleSeries",
        "CandleStore",
        "SyntheticConfig",
        "Timeframe",
        "TriptychError",
        "__version__",
        "backtest",
        "bybit_at",
        "check_quality",
        "create_encoding",
        "create_model",
        "evaluate",
        "fetch_candles",
        "leak_probe",
        "list_encodings",
        "list_models",
        "load_artifact",
        "load_recipe",
        "open_run",
        "predict",
        "predict_live",
        "read_candles",
        "report",
        "resample",
        "synthesise",
        "train",
    ]
    assert [name for name in triptych.__all__ if getattr(triptych, name, None) is None] == []


def test_importing_triptych_loads_no_network_library() -> None:
    loaded = _python("import sys, triptych; print({'torch', 'lightning', 'polars', 'pydantic'} & set(sys.modules))")
    assert loaded == "set()"


def test_backtest_is_the_function_even_after_the_package_of_that_name_was_imported() -> None:
    code = "import triptych.backtest.verdict; from triptych import backtest; print(backtest.__module__)"
    assert _python(code) == "triptych.bootstrap.backtesting"


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    assert _python("import triptych; print(hasattr(triptych, 'forecast'))") == "False"


def _python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
