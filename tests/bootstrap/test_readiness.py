"""Nothing is compiled at a decision, for which there is a deadline: a model is asked once when it is loaded."""

import os
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
from tests.fakes.micro import micro_recipe

from triptych import bootstrap
from triptych.bootstrap.readiness import made_ready
from triptych.inference import BookNeed
from triptych.inference.base import AbstractPredictor

ARTIFACT = SimpleNamespace(books=None, card=SimpleNamespace(timeframe="15m"))


class Asked(AbstractPredictor):
    name, length, companions = "asked", 20, ("BBB",)

    def __init__(self, fault=""):
        self.fault, self.seen = fault, []

    def probabilities(self, windows):
        if self.fault:
            raise RuntimeError(self.fault)
        return np.tile(np.array([0.1, 0.1, 0.8], dtype=np.float32), (len(windows), 1))

    def window_now(self, view, symbol):
        self.seen = [view.history(one, self.length) for one in (symbol, *self.companions)]
        return self.seen[0].values


def test_a_model_is_asked_for_a_made_instrument_and_its_companions():
    predictor = Asked()
    assert made_ready(predictor, ARTIFACT) is predictor
    assert [(one.symbol, len(one), one.books) for one in predictor.seen] == [("MADE", 20, None), ("BBB", 20, None)]


def test_a_model_that_reads_books_is_given_some():
    predictor = Asked()
    made_ready(predictor, SimpleNamespace(books=BookNeed(levels=3, max_age_ms=1), card=ARTIFACT.card))
    books = predictor.seen[0].books
    assert books.shape == (20, 12)
    assert (books[:, 0] < predictor.seen[0].close).all()
    assert (books[:, 6] > predictor.seen[0].close).all()


def test_a_model_that_fails_is_left_to_the_ladder_which_says_so_at_each_decision():
    predictor = Asked("CUDA error")
    assert made_ready(predictor, ARTIFACT) is predictor


def test_a_filter_of_regimes_compiles_nothing_at_its_first_decision_on_a_new_machine(tmp_path):
    recipe = micro_recipe(
        tmp_path, "regimes.use=true", "regimes.memory=40", "data.synthetic.n_candles=1500", "training.epochs=1"
    )
    run = bootstrap.train(recipe, folder=tmp_path / "run", progress_bar=False)
    program = textwrap.dedent(f"""
        from pathlib import Path
        from numba.core import event
        from triptych import bootstrap
        from triptych.bootstrap.candles import load_candles
        from triptych.bootstrap.rungs import rungs_of
        from triptych.inference import open_any_artifact
        from triptych.settings.live import LiveSettings

        class Notice(event.Listener):
            count = 0
            def on_start(self, _event): self.count += 1
            def on_end(self, _event): pass

        notice = Notice()
        event.register("numba:compile", notice)
        run = bootstrap.open_run(Path({str(run.folder)!r}))
        (rung,) = rungs_of([run], [open_any_artifact(run.artifact)], LiveSettings())
        before = notice.count
        series = load_candles(run.recipe).series[0]
        class View:
            def history(self, symbol, length): return series.between(len(series) - length, len(series))
        said = rung.level.predictor.predict_all(View(), {{series.symbol: int(series.close_time_ms[-1])}})
        print(before > 0, notice.count - before, len(said[series.symbol].regimes))
    """)
    new = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "nothing compiled yet")}
    done = subprocess.run([sys.executable, "-c", program], env=new, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "0", "5"]
