"""What a trained model says about candles it is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from triptych.bootstrap.run_folder import open_run
from triptych.domain import CLASSES, CandleSeries, Timeframe, utc
from triptych.domain.errors import ArtifactError, DataError, NotEnoughData
from triptych.domain.files import write_atomically, write_json
from triptych.inference import AbstractPredictor, Artifact, load_artifact
from triptych.market import read_candles, resample


def open_artifact(folder: Path) -> Artifact:
    """The artifact in a folder, or the newest model of the run in it."""
    if (folder / "card.json").exists():
        return load_artifact(folder)
    if (folder / "run.json").exists():
        run = open_run(folder)
        run.require_trained()
        return load_artifact(run.artifact)
    raise ArtifactError(f"{folder} is neither a run nor an artifact.", remedy="Train one with `triptych train RECIPE`.")


def predict(
    folder: Path, data: Path, *, symbol: str | None = None, last: int = 0, backend: Literal["onnx", "torch"] = "onnx"
) -> pl.DataFrame:
    """Predict at the close of every candle whose window is full.

    Args:
        folder: a run or an artifact.
        data: a file of candles; finer candles than the model's are resampled.
        symbol: one instrument of a file with several.
        last: only that many candles of each instrument; 0 for all.
        backend: ONNX Runtime or PyTorch.

    Returns:
        Frame of symbol, time (close, UTC), probability_sell, probability_hold, probability_buy, prediction.

    Raises DataError, ArtifactError and their kinds.
    """
    artifact = open_artifact(folder)
    predictor = artifact.predictor(backend)
    parts = [
        _predict_one(_in_timeframe(one, artifact), predictor, last) for one in read_candles(data, symbol=symbol).series
    ]
    return pl.concat(parts)


def _in_timeframe(one: CandleSeries, artifact: Artifact) -> CandleSeries:
    wanted = Timeframe.parse(artifact.card.timeframe)
    if one.timeframe > wanted:
        raise DataError(
            f"{one.symbol}: the candles are {one.timeframe}, the model was trained on {wanted}.",
            remedy=f"Bring candles of {wanted} or finer.",
        )
    return one if one.timeframe == wanted else resample(one, wanted)


def _predict_one(one: CandleSeries, predictor: AbstractPredictor, last: int) -> pl.DataFrame:
    if len(one) < predictor.length:
        raise NotEnoughData(
            f"{one.symbol}: {len(one)} candles are fewer than the model's window of {predictor.length}.",
            remedy=f"Bring at least {predictor.length} candles.",
        )
    ends = np.arange(predictor.length - 1, len(one))[-last if last else 0 :]
    chunks = [
        predictor.probabilities(one.windows(ends[i : i + 2048], predictor.length)) for i in range(0, len(ends), 2048)
    ]
    probabilities = np.concatenate(chunks).astype(np.float64)
    return pl.DataFrame(
        {
            "symbol": pl.Series([one.symbol] * len(ends), dtype=pl.String),
            "time": pl.Series(one.close_time_ms[ends]).cast(pl.Datetime("ms", "UTC")),
            **{f"probability_{name}": probabilities[:, i] for i, name in enumerate(CLASSES)},
            "prediction": [CLASSES[i] for i in probabilities.argmax(axis=1)],
        }
    )


def prediction_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The predictions as JSON-ready rows; times in words, UTC."""
    times = [utc(time) for time in frame["time"].cast(pl.Int64)]
    return frame.with_columns(pl.Series("time", times)).to_dicts()


def write_predictions(frame: pl.DataFrame, path: Path) -> Path:
    """Write predictions to .csv, .parquet or .json, atomically. Raises DataError for another ending."""
    if path.suffix == ".json":
        return write_json(path, prediction_rows(frame))
    writers: dict[str, Callable[[Path], object]] = {".csv": frame.write_csv, ".parquet": frame.write_parquet}
    if path.suffix not in writers:
        raise DataError(
            f"Cannot write predictions to {path}.", remedy="Choose a name ending in .csv, .parquet or .json."
        )
    return write_atomically(path, writers[path.suffix])
