"""Every page's twin, from a journal without a session."""

import json

import pytest
from tests.dashboard.records import MINUTE, START, SYMBOL

from triptych.dashboard.drawing import render
from triptych.dashboard.pages import decisions, health, journal, orders, overview, runs


def test_the_overview_tells_account_position_stop_and_chart(room):
    twin = overview.twin(room)
    assert (twin["instance"]["status"], twin["instance"]["name"]) == ("ended", "house")
    assert (twin["account"]["equity"], twin["account"]["profit"]) == (10_020.0, 20.0)
    (position,) = twin["positions"]
    assert (position["quantity"], position["unrealised"], position["stop"]) == ("2", 20.0, 95.0)
    assert position["protection"] == "unasked"
    chart = twin["chart"]
    assert (chart["symbol"], chart["step_ms"], len(chart["candles"])) == (SYMBOL, MINUTE, 22)
    assert chart["fills"] == [
        {"time_ms": START, "side": "buy", "price": 100.0, "quantity": 2.0, "reason": "order"}
    ]  # fmt: skip
    assert chart["stops"] == [[START, 95.0], [START + MINUTE, 95.0]]
    assert twin["equity"] == [[START, 10_000.0], [START + MINUTE, 10_020.0]]
    assert twin["decision"]["close_ms"] == START + MINUTE


def test_decisions_tell_probabilities_votes_agreement_and_orders(room):
    newest, first = decisions.twin(room)["decisions"]
    assert newest["probabilities"] == {"sell": 0.2, "hold": 0.2, "buy": 0.6}
    assert [(one["model"], one["says"]) for one in newest["votes"]] == [("image", "buy"), ("sequence", "sell")]
    assert newest["agreement"] == 0.5
    assert first["orders"] == [{"id": "o1", "phase": "filled", "side": "buy"}]
    assert (first["agreement"], first["pictures"]) == (None, [])
    acted = decisions.twin(room, acted=True)
    assert [one["seq"] for one in acted["decisions"]] == [1]
    assert decisions.twin(room, symbol="ETHUSDT")["decisions"] == []


def test_decisions_are_found_by_words(room):
    def found(search):
        return [one["seq"] for one in decisions.twin(room, search=search)["decisions"]]

    everything = found("")
    assert len(everything) == 2
    assert found(f"  {SYMBOL.lower()} EYE ") == everything
    assert found("o1") == [1]
    assert found(f"{SYMBOL} o1") == [1]
    assert found("nothing-of-the-kind") == []
    assert found("<script>") == []


def test_orders_tell_how_long_nobody_knew(room):
    twin = orders.twin(room)
    assert (twin["unknown_now"], twin["ever_unknown"], twin["unknown_ms"]) == (0, 1, 2_000)
    (one,) = twin["orders"]
    assert [(phase["phase"], phase["lasted_ms"]) for phase in one["phases"]] == [
        ("sending", 5_000), ("unknown", 2_000), ("filled", None),
    ]  # fmt: skip
    assert len(orders.twin(room, phase="was unknown")["orders"]) == 1
    assert orders.twin(room, phase="unknown")["orders"] == []


def test_health_tells_agreement_and_confidence_from_the_journal_alone(room):
    twin = health.twin(room)
    assert (twin["has_metrics"], twin["latency"], twin["drift"]) == (False, [], [])
    assert twin["agreement"]["mean"] == 0.5
    assert twin["agreement"]["members"] == {"image": 1.0, "sequence": 0.0}
    (confidence,) = twin["confidence"]
    assert (confidence["model"], confidence["count"], dict(confidence["shares"])[0.6]) == ("eye", 2, 1.0)
    assert [one["words"] for one in twin["fallbacks"]] == ["fallback: eye is off duty"]


def test_health_tells_percentiles_and_drift_of_a_session(room):
    def sample(name, value, **labels):
        return {"name": f"triptych_{name}", "labels": labels, "value": value}

    room.desk.state = {"metrics": [
        sample("inference_seconds_bucket", 1.0, model="eye", le="0.01"),
        sample("inference_seconds_bucket", 2.0, model="eye", le="0.02"),
        sample("inference_seconds_bucket", 2.0, model="eye", le="+Inf"),
        sample("drift_psi_ratio", 0.4, symbol=SYMBOL, model="eye"),
        sample("drift_ks_ratio", None, symbol=SYMBOL, model="eye"),
        sample("drifts_total", 2.0, symbol=SYMBOL, model="eye"),
        sample("feature_rsi_14_psi_ratio", 0.1, symbol=SYMBOL, model="eye"),
        sample("feature_rsi_14_ks_ratio", 0.2, symbol=SYMBOL, model="eye"),
        sample("feature_window_range_psi_ratio", 0.3, symbol=SYMBOL, model="eye"),
    ], "models": [], "on_duty": 0, "switch": {"state": "run"}, "ready": True, "reasons": {}, "name": "house",
        "venue": "paper", "timeframe": "1m", "symbols": [SYMBOL], "now_ms": 1, "market_ms": 1}  # fmt: skip
    twin = health.twin(room)
    (latency,) = twin["latency"]
    assert (latency["of"], latency["p50"], latency["count"]) == ("eye", 0.01, 2)
    assert latency["p99"] == pytest.approx(0.0198)
    assert twin["drift"] == [
        {"symbol": SYMBOL, "model": "eye", "psi": 0.4, "ks": None, "changes": 2, "alarm": True}
    ]  # fmt: skip
    assert twin["features"] == [
        {"symbol": SYMBOL, "model": "eye", "feature": "window_range", "psi": 0.3, "ks": None, "alarm": True},
        {"symbol": SYMBOL, "model": "eye", "feature": "rsi_14", "psi": 0.1, "ks": 0.2, "alarm": False},
    ]


@pytest.mark.parametrize("closed", [False, True, None])
def test_after_a_kill_the_overview_tells_what_is_not_closed_yet_and_why(room, closed):
    closure = None if closed is None else {
        "closed": closed, "pending": [] if closed else [f"{SYMBOL}: the venue holds 2", "OTHER: the venue holds 1"],
        "problems": [] if closed else [f"{SYMBOL}: the closing order was refused: no funds"], "orders": ["c0"],
    }  # fmt: skip
    position = {
        "symbol": SYMBOL, "quantity": "2", "entry": 100.0, "mark": 101.0, "unrealised": 2.0, "stop": None,
        "target": None, "settled": True, "reason": "", "data_age_s": 1.0, "venue": None,
    }  # fmt: skip
    room.desk.state = {
        "metrics": [], "models": [], "on_duty": 0, "ready": False, "reasons": {"switch": "it stands at killed"},
        "name": "house", "venue": "paper", "timeframe": "1m", "symbols": [SYMBOL], "now_ms": 1, "market_ms": 1,
        "switch": {"state": "killed", "by": "anna", "reason": "smoke", "closure": closure}, "positions": [position],
        "account": dict.fromkeys(("initial", "equity", "realised", "unrealised", "fees", "funding"), 0.0),
    }  # fmt: skip
    twin = overview.twin(room)
    told = twin["instance"]["closing"]
    (shown,) = twin["positions"]
    page = render("positions", twin)
    if closed:
        assert (told, shown["closing"]) == (None, [])
        assert "To be closed" not in page
        return
    assert (told["by"], told["reason"]) == ("anna", "smoke")
    if closed is None:  # nothing has come of it yet
        assert (told["pending"], shown["closing"]) == ([], [])
        return
    assert told["pending"] == closure["pending"]
    assert told["problems"] == [f"{SYMBOL}: the closing order was refused: no funds"]
    assert shown["closing"] == ["the venue holds 2"]
    assert "To be closed: the venue holds 2" in page


def test_the_journal_tells_differences_and_filters_entries(room):
    twin = journal.twin(room)
    assert (twin["newest"], twin["kept"], twin["place"]) == (6, 6, "live.db")
    assert [one["words"] for one in twin["differences"]] == ["the venue holds 3, our fills make 2"]
    assert [one["kind"] for one in journal.twin(room, group="fills")["entries"]] == ["OrderFilled"]
    assert [one["seq"] for one in journal.twin(room, search="OFF DUTY")["entries"]] == [6]


def test_runs_tell_verdicts_and_leaderboards(room):
    twin = runs.twin(room)
    assert [one["name"] for one in twin["runs"]] == ["new", "old"]
    judged = twin["runs"][1]["backtest"]
    assert (judged["outcome"], judged["trades"], judged["max_drawdown"]) == ("no_edge", 42, 0.1)
    assert twin["runs"][1]["curve"] == [1.0, 1.1, 0.95, 0.95]
    (study,) = twin["studies"]
    assert (study["chosen"], study["overfitting"], study["leaders"][0]["latency_ms"]) == (4, 0.4, 0.2)


PAGES = {
    "cards": overview, "positions": overview, "newest": overview, "latest": overview, "chart_title": overview,
    "banner": overview, "status": overview, "decisions": decisions, "orders": orders, "health": health,
    "journal": journal, "entries": journal, "runs": runs,
}  # fmt: skip


@pytest.mark.parametrize("template", PAGES)
def test_every_twin_is_strict_json_and_is_drawn(room, template):
    twin = PAGES[template].twin(room)
    drawn = render(template, json.loads(json.dumps(twin, allow_nan=False)))
    assert drawn.strip() or template == "banner"


def test_what_a_journal_says_is_escaped(room, scribe):
    from tests.dashboard.records import note

    room.desk.story.take(scribe.write(note("reconciliation", "<script>alert(1)</script>")))
    drawn = render("entries", journal.twin(room))
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn
