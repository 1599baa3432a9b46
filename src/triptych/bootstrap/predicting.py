"""What a trained model says about candles it is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from triptych.bootstrap.files import write_frame
from triptych.bootstrap.hindsight import LEARNED, learned_until_ms
from triptych.bootstrap.recorded_books import with_recorded
from triptych.bootstrap.run_folder import BOOK_RESULT, open_run
from triptych.domain import CLASSES, AbstractClock, CandleSeries, SystemClock, Timeframe, utc
from triptych.domain.errors import ArtifactError, DataError, NotEnoughData
from triptych.domain.files import write_json, write_text
from triptych.inference import AbstractPredictor, Artifact, ConsensusArtifact, open_any_artifact
from triptych.market import read_candles, resample


def open_artifact(folder: Path) -> Artifact | ConsensusArtifact:
    """The artifact in a folder, of one model or of a consensus, or the newest one of the run in it."""
    if (folder / "card.json").exists() or ((folder / "consensus.json").exists() and not (folder / "run.json").exists()):
        return open_any_artifact(folder)
    if (folder / "run.json").exists() or (folder / BOOK_RESULT).exists():
        run = open_run(folder)
        run.require_trained()
        return open_any_artifact(run.artifact)
    raise ArtifactError(f"{folder} is neither a run nor an artifact.", remedy="Train one with `triptych train RECIPE`.")


def predict(
    folder: Path,
    data: Path,
    *,
    books: Sequence[Path] = (),
    symbol: str | None = None,
    last: int = 0,
    backend: Literal["onnx", "torch", "stream"] = "onnx",
    columns: Mapping[str, str] | None = None,
    timezone: str = "UTC",
    clock: AbstractClock | None = None,
) -> pl.DataFrame:
    """Predict at the close of every candle whose window is full.

    Args:
        folder: a run or an artifact.
        data: a file of candles; finer candles than the model's are resampled.
        books: recordings of order books, for a model that reads them.
        symbol: one instrument of a file with several.
        last: only the last so many predictions of each instrument; 0 for all.
        backend: ONNX Runtime or PyTorch; `stream`: ONNX Runtime, candle by candle with a memory carried along.
        columns: roles of columns that are not recognised, such as {"close": "Last"}.
        timezone: of times that carry none.
        clock: tells now; a candle that has not closed by then is left out. None takes the system's.

    Returns:
        Frame of symbol, time (close, UTC), probability_sell, probability_hold, probability_buy, prediction,
        learned_from_it (whether the model has learned from candles of this time).

    Raises DataError, ArtifactError and their kinds.
    """
    artifact = open_artifact(folder)
    found = read_candles(
        data,
        symbol=None if artifact.companions else symbol,
        columns=columns,
        timezone=timezone,
        now_ms=(clock or SystemClock()).now_ms(),
    )
    histories = [_in_timeframe(one, artifact) for one in found.series]
    if artifact.books is not None:
        read = [one for one in histories if symbol is None or one.symbol in (symbol, *artifact.companions)]
        histories = with_recorded(
            read, artifact.books, books, only_seen=() if symbol is None else set(artifact.companions) - {symbol}
        )
    predictor = _streaming(artifact, folder) if backend == "stream" else artifact.predictor(backend)
    by_symbol = {one.symbol: one for one in histories}
    traded = [one for one in histories if symbol is None or one.symbol == symbol]
    if not traded:
        raise DataError(f"{data} holds no candles of {symbol}.", remedy=f"It holds: {', '.join(by_symbol)}.")
    said = pl.concat([_predict_one(one, predictor, last, by_symbol) for one in traded])
    return said.with_columns((pl.col("time").cast(pl.Int64) <= learned_until_ms(artifact)).alias(LEARNED))


def _streaming(artifact: Artifact | ConsensusArtifact, folder: Path) -> AbstractPredictor:
    if not isinstance(artifact, Artifact):
        raise ArtifactError(
            f"{folder} is a consensus, whose members read windows.", remedy="Leave --backend stream out."
        )
    return artifact.streaming_predictor()


def _in_timeframe(one: CandleSeries, artifact: Artifact | ConsensusArtifact) -> CandleSeries:
    wanted = Timeframe.parse(artifact.card.timeframe)
    if one.timeframe > wanted:
        raise DataError(
            f"{one.symbol}: the candles are {one.timeframe}, the model was trained on {wanted}.",
            remedy=f"Bring candles of {wanted} or finer.",
        )
    return one if one.timeframe == wanted else resample(one, wanted)


def _predict_one(
    one: CandleSeries, predictor: AbstractPredictor, last: int, companions: Mapping[str, CandleSeries]
) -> pl.DataFrame:
    if len(one) < predictor.length:
        raise NotEnoughData(
            f"{one.symbol}: {len(one)} candles are fewer than the model's window of {predictor.length}.",
            remedy=f"Bring at least {predictor.length} candles.",
        )
    every = np.arange(predictor.length - 1, len(one))
    asked = last or len(every)
    while True:
        ends = every[-asked:]
        probabilities = predictor.over(one, ends, companions).astype(np.float64)
        known = np.isfinite(probabilities).all(axis=1)
        if asked >= len(every) or known.sum() >= last:
            break
        asked *= 4  # a companion's candles may be missing for a while, and some models answer once a day
    chosen = np.flatnonzero(known)[-last if last else 0 :]
    ends, probabilities = ends[chosen], probabilities[chosen]
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


def learned_note(frame: pl.DataFrame) -> str:
    """What is to be said of predictions whose model has learned from candles of their time; empty where there are
    none."""
    learned = int(frame[LEARNED].sum())
    if not learned:
        return ""
    newest = utc(int(frame.filter(LEARNED)["time"].cast(pl.Int64).max()))  # type: ignore[arg-type]
    share = "all" if learned == len(frame) else f"{learned:,}"
    return (
        f"The model has learned from candles of this time: {share} of the {len(frame):,} predictions, until {newest} "
        "UTC, are no out-of-sample ones. Judge it by later candles, or by the run's own report."
    )


def require_known_ending(path: Path) -> None:
    """Raise DataError unless predictions can be written to a file of this name."""
    if path.suffix not in (".csv", ".parquet", ".json"):
        raise DataError(
            f"Cannot write predictions to {path}.", remedy="Choose a name ending in .csv, .parquet or .json."
        )


def write_predictions(frame: pl.DataFrame, path: Path) -> Path:
    """Write predictions to .csv, .parquet or .json, atomically. Raises DataError for another ending."""
    require_known_ending(path)
    if path.suffix == ".json":
        return write_json(path, prediction_rows(frame))
    if path.suffix == ".parquet":
        return write_frame(path, frame)
    return write_text(path, frame.write_csv())
