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
