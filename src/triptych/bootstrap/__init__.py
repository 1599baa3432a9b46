"""The only place that picks real parts and joins them: what the command line, examples and notebooks call.

Each name is imported when it is first asked for: who draws pictures need not wait for the libraries of training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from triptych.domain.on_demand import on_demand

if TYPE_CHECKING:
    from triptych.bootstrap.ablating import Ablation, ablate
    from triptych.bootstrap.ablation_seeds import ablate_over_seeds
    from triptych.bootstrap.backtesting import backtest
    from triptych.bootstrap.books.explaining import ExplainedBook, explain_book, write_explained_book
    from triptych.bootstrap.books.explanation_checks import check_book_explanations
    from triptych.bootstrap.books.trading import trading_run
    from triptych.bootstrap.candles import Candles, load_candles
    from triptych.bootstrap.controlling import heard_from_the_start
    from triptych.bootstrap.detecting import create_detector, list_detectors
    from triptych.bootstrap.evaluating import evaluate
    from triptych.bootstrap.explaining import ExplainedDecision, explain_decision
    from triptych.bootstrap.explaining_consensus import ExplainedConsensus, explain_consensus
    from triptych.bootstrap.explaining_surest import explain_surest
    from triptych.bootstrap.explanation_checks import check_explanations
    from triptych.bootstrap.explanation_files import write_explanation
    from triptych.bootstrap.fetching import Fetched, fetch_candles, fetch_listings
    from triptych.bootstrap.fetching_elsewhere import fetch_from, source_of
    from triptych.bootstrap.journals import journal_frame, write_journal
    from triptych.bootstrap.leaks import leak_probe
    from triptych.bootstrap.learning import train
    from triptych.bootstrap.living_on_bybit import trade_on_bybit
    from triptych.bootstrap.paper_on_bybit import trade_on_paper_at
    from triptych.bootstrap.paper_on_tape import trade_on_paper
    from triptych.bootstrap.predicting import (
        learned_note,
        predict,
        prediction_rows,
        require_known_ending,
        write_predictions,
    )
    from triptych.bootstrap.profiling import profile
    from triptych.bootstrap.realtime import bybit_at, predict_live
    from triptych.bootstrap.reconciling import Reconciled, reconcile
    from triptych.bootstrap.recording import Recorded, record_tape
    from triptych.bootstrap.reporting import Written, report
    from triptych.bootstrap.run_folder import Run, open_run
    from triptych.bootstrap.serving import Serving, recording_for_serving, serve_exchange, tape_for_serving
    from triptych.bootstrap.settling import settle_first
    from triptych.bootstrap.similar import Similar, similar
    from triptych.bootstrap.taping import TapeEvent, tape_events, tape_series
    from triptych.bootstrap.tuning.search import Tuned, read_results, tune

__all__ = [
    "Ablation",
    "Candles",
    "ExplainedBook",
    "ExplainedConsensus",
    "ExplainedDecision",
    "Fetched",
    "Reconciled",
    "Recorded",
    "Run",
    "Serving",
    "Similar",
    "TapeEvent",
    "Tuned",
    "Written",
    "ablate",
    "ablate_over_seeds",
    "backtest",
    "bybit_at",
    "check_book_explanations",
    "check_explanations",
    "create_detector",
    "evaluate",
    "explain_book",
    "explain_consensus",
    "explain_decision",
    "explain_surest",
    "fetch_candles",
    "fetch_from",
    "fetch_listings",
    "heard_from_the_start",
    "journal_frame",
    "leak_probe",
    "learned_note",
    "list_detectors",
    "load_candles",
    "open_run",
    "predict",
    "predict_live",
    "prediction_rows",
    "profile",
    "read_results",
    "reconcile",
    "record_tape",
    "recording_for_serving",
    "report",
    "require_known_ending",
    "serve_exchange",
    "settle_first",
    "similar",
    "source_of",
    "tape_events",
    "tape_for_serving",
    "tape_series",
    "trade_on_bybit",
    "trade_on_paper",
    "trade_on_paper_at",
    "trading_run",
    "train",
    "tune",
    "write_explained_book",
    "write_explanation",
    "write_journal",
    "write_predictions",
]

_HOMES: Final = {
    "ablating": ("Ablation", "ablate"),
    "ablation_seeds": ("ablate_over_seeds",),
    "backtesting": ("backtest",),
    "books.explanation_checks": ("check_book_explanations",),
    "books.explaining": ("ExplainedBook", "explain_book", "write_explained_book"),
    "books.trading": ("trading_run",),
    "candles": ("Candles", "load_candles"),
    "controlling": ("heard_from_the_start",),
    "detecting": ("create_detector", "list_detectors"),
    "evaluating": ("evaluate",),
    "explaining": ("ExplainedDecision", "explain_decision"),
    "explaining_consensus": ("ExplainedConsensus", "explain_consensus"),
    "explaining_surest": ("explain_surest",),
    "explanation_checks": ("check_explanations",),
    "explanation_files": ("write_explanation",),
    "leaks": ("leak_probe",),
    "learning": ("train",),
    "fetching": ("Fetched", "fetch_candles", "fetch_listings"),
    "fetching_elsewhere": ("fetch_from", "source_of"),
    "journals": ("journal_frame", "write_journal"),
    "living_on_bybit": ("trade_on_bybit",),
    "paper_on_bybit": ("trade_on_paper_at",),
    "paper_on_tape": ("trade_on_paper",),
    "predicting": ("learned_note", "predict", "prediction_rows", "require_known_ending", "write_predictions"),
    "profiling": ("profile",),
    "reporting": ("Written", "report"),
    "run_folder": ("Run", "open_run"),
    "settling": ("settle_first",),
    "similar": ("Similar", "similar"),
    "tuning.search": ("Tuned", "read_results", "tune"),
    "realtime": ("bybit_at", "predict_live"),
    "reconciling": ("Reconciled", "reconcile"),
    "recording": ("Recorded", "record_tape"),
    "taping": ("TapeEvent", "tape_events", "tape_series"),
    "serving": ("Serving", "recording_for_serving", "serve_exchange", "tape_for_serving"),
}

__getattr__, __dir__ = on_demand(__name__, _HOMES)
