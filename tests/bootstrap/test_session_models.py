from types import SimpleNamespace

import pytest

from triptych.bootstrap import open_run
from triptych.bootstrap.session_models import Models, open_models, trained_runs
from triptych.domain import Timeframe
from triptych.domain.errors import RunError
from triptych.inference import BookNeed


def models_of(*artifacts):
    return Models(runs=(), artifacts=artifacts, timeframe=Timeframe.parse("1m"))


def test_what_models_need_of_books_together_is_the_deepest_book_and_the_strictest_age():
    deep = SimpleNamespace(books=BookNeed(levels=50, max_age_ms=5_000))
    fresh = SimpleNamespace(books=BookNeed(levels=5, max_age_ms=900, companions=True))
    none = SimpleNamespace(books=None)
    assert models_of(none, deep, fresh).books == BookNeed(levels=50, max_age_ms=900, companions=True)
    assert models_of(none, none).books is None


def test_what_is_looked_at_beside_is_told_once_and_holds_nothing_that_is_traded():
    models = models_of(SimpleNamespace(companions=("ETH", "SOL")))
    watch = SimpleNamespace(symbols=("BTC", "SOL", "XRP"))
    assert models.beside(["BTC"], watch) == ("ETH", "SOL", "XRP")
    assert models.beside(["BTC", "ETH"], None) == ("SOL",)


def test_the_models_of_a_session_are_opened_once_and_are_of_the_first_ones_recipe(trained):
    models = open_models(trained_runs([trained, trained]))
    assert str(models.timeframe) == "15m"
    assert [run.folder for run in models.runs] == [trained, trained]
    assert models.first is models.artifacts[0]
    assert models.recipe == open_run(trained).recipe


def test_a_run_that_is_not_there_is_named(tmp_path):
    with pytest.raises(RunError):
        trained_runs([tmp_path / "none"])
