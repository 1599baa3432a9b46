import io
import json

from triptych.bootstrap.voice import voice_of
from triptych.domain import ManualClock
from triptych.live.monitoring import Masker
from triptych.settings.live import LiveSettings


def test_what_is_noted_is_counted_and_logged_without_secrets():
    log = io.StringIO()
    voice = voice_of(LiveSettings(name="house"), clock=ManualClock(0), log=log, masker=Masker(["planted-secret"]))
    voice.note("critical", "journal", "planted-secret cannot be written", "BTCUSDT")
    (line,) = [json.loads(one) for one in log.getvalue().splitlines()]
    told = {name: line[name] for name in ("instance", "event", "topic", "symbol", "severity")}
    assert told == {
        "instance": "house", "event": "*** cannot be written", "topic": "journal", "symbol": "BTCUSDT",
        "severity": "critical",
    }  # fmt: skip
    assert "triptych_alarms_total 1.0" in voice.metrics.text().decode()


def test_without_a_log_warnings_are_told_on_the_error_stream(capsys):
    voice = voice_of(LiveSettings(name="house"), clock=ManualClock(0), masker=Masker(["planted-secret"]))
    voice.note("critical", "journal", "planted-secret cannot be written", "BTCUSDT")
    voice.note("info", "unreachable", "the venue answers again", "")
    assert capsys.readouterr().err == "1970-01-01 00:00:00 critical house BTCUSDT: *** cannot be written\n"
