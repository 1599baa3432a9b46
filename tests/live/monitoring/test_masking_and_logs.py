import io
import json

from triptych.live.monitoring import Masker, create_logger, decision_id

KEY = "sesame-open-1234"


def test_secrets_are_masked_wherever_they_stand():
    masker = Masker([KEY, "open", "abc"])
    assert masker.text(f"key={KEY}, open sea, abc") == "key=***, *** sea, abc"
    assert masker.value({KEY: [1, None, (f"x{KEY}y", 2.5)], "error": ValueError(KEY)}) == {
        "***": [1, None, ["x***y", 2.5]],
        "error": "***",
    }
    assert KEY not in repr(masker)


def lines(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_decision():
    stream = io.StringIO()
    log = create_logger(stream, Masker([KEY]), instance="house")
    log.info("order sent", decision=decision_id("BTCUSDT", 7), order_id="a", header={"key": KEY})
    (line,) = lines(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info", "event": "order sent", "instance": "house", "decision": "BTCUSDT@7", "order_id": "a",
        "header": {"key": "***"},
    }  # fmt: skip


def test_tracebacks_are_masked_too():
    stream = io.StringIO()
    log = create_logger(stream, Masker([KEY]))
    try:
        raise RuntimeError(f"refused {KEY}")
    except RuntimeError:
        log.exception("failed")
    assert KEY not in stream.getvalue()
    assert "RuntimeError: refused ***" in lines(stream)[0]["exception"]


def test_lower_levels_are_left_out():
    stream = io.StringIO()
    create_logger(stream, Masker(), level="warning").info("nothing")
    assert stream.getvalue() == ""
