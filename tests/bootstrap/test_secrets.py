"""A session over sockets with a planted key: nothing that is left behind, or was shown meanwhile, holds it."""

import io
import json
import logging
import os
import signal
import threading
import time
import urllib.error
import urllib.request
from decimal import Decimal

from tests.fakes.command import Command
from tests.fakes.served import in_thread

from triptych import bootstrap
from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.controlling import Control
from triptych.bootstrap.serving import tape_for_serving
from triptych.exchanges.bybit.credentials import Credentials
from triptych.exchanges.simulated.server import BybitServer, RestFault
from triptych.live.journal import Journal, OrderAnswered
from triptych.market.frames import to_panel
from triptych.settings.live import load_live_settings

KEY, SECRET, HOOK = "planted-key-4711", "planted-secret-0815", "http://127.0.0.1:9/planted-hook-1234"
TOKEN = "planted-token-2342-for-the-session"
PLANTED = (KEY, SECRET, "planted-hook", TOKEN)
PAGES = ("overview", "decisions", "orders", "health", "journal", "runs")


def fetched(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as reply:
            return reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


def every_page(session_url, runs):
    """The dashboard over a session, as it is sent to a browser: pages, their twins, and what is refused."""
    dashboard = Command("dashboard", "--session", session_url, "--listen", 0, "--runs", runs, TRIPTYCH_TOKEN=TOKEN)
    try:
        port = dashboard.after("Dashboard:").rpartition(":")[2].strip("/")
        while not json.loads(fetched(port, "/api/decisions"))["decisions"]:
            time.sleep(0.2)
        texts = {path: fetched(port, path) for name in PAGES for path in (f"/{name}", f"/api/{name}")}
        texts["/"] = fetched(port, "/")  # the overview has no name
        texts["refused"] = fetched(port, f"/api/switch?token={TOKEN[:8]}")
    finally:
        dashboard.end()
    return texts | {"terminal": "".join(dashboard.said)}


def test_a_planted_key_is_found_nowhere_after_a_session(run_folder, tmp_path, caplog, capsys):
    caplog.set_level(logging.DEBUG)
    (series,) = load_candles(open_run(run_folder).recipe).series
    panel = tmp_path / "tape.parquet"
    to_panel([series]).write_parquet(panel)
    tape = tape_for_serving(panel, ())
    server = BybitServer(tape, known=900, capital=Decimal(10_000), keys={KEY: SECRET})
    settings = load_live_settings(
        overrides=["name=micro", "capital=10000", "model_deadline_seconds=60", f"alerts.webhook={HOOK}",
                   "rest.back_off_s=0.01", "stream.back_off_s=0.01", "alerts.attempts=1"],
    )  # fmt: skip
    credentials, log, told, pages = Credentials(key=KEY, secret=SECRET), io.StringIO(), [], []
    sessions, looked_at = [], {}

    def beside(url):
        sessions.append(url)
        return lambda: None

    control = Control(host="127.0.0.1", port=0, token=TOKEN, beside=beside)

    with in_thread(server) as run:

        def step_and_stop():
            try:
                step()
            finally:
                os.kill(os.getpid(), signal.SIGINT)

        def step():
            deadline = time.monotonic() + 200
            while time.monotonic() < deadline and not any("Metrics" in text for text in told):
                time.sleep(0.05)
            port = next(text for text in told if "Metrics" in text).partition("127.0.0.1:")[2].partition("/")[0]
            while time.monotonic() < deadline and '"ready": true' not in fetched(port, "/readyz"):
                time.sleep(0.05)
            for n in range(30):
                if n == 10:  # the venue quotes what was signed when it does not like a request
                    server.faults.add(RestFault(kind="refuse", code=10004, path="/v5/order/create"))
                    server.faults.add(RestFault(kind="maintenance", path="/v5/position", times=2))
                if n == 20:
                    run(server.cut())
                run(server.step())
                time.sleep(0.05)
            time.sleep(0.5)
            looked_at.update(every_page(sessions[0], run_folder.parent))
            pages.extend(fetched(port, path) for path in ("/metrics", "/healthz", "/readyz", "/nowhere"))

        stepping = threading.Thread(target=step_and_stop)
        stepping.start()
        outcome = bootstrap.trade_on_bybit(
            [run_folder], venue="local", symbols=[tape[0].symbol], journal=tmp_path / "j.db", log=log,
            settings=settings, hosts=server.hosts, credentials=credentials, metrics_at=("127.0.0.1", 0),
            control=control, tell=told.append,
        )  # fmt: skip
        stepping.join()

    assert outcome.decisions > 10
    assert "triptych_candles" in pages[0]
    assert '"decisions"' in looked_at["/api/decisions"]
    assert "Triptych" in looked_at["/"]
    reader = Journal.read(tmp_path / "j.db", "micro")
    assert list(reader.entries(kinds=(OrderAnswered,)))
    shown = {
        "logs": log.getvalue(),
        "logging": caplog.text,
        "output": "".join(capsys.readouterr()),
        "stages": "".join(told),
        "pages": "".join(pages),
        **{f"dashboard {name}": text for name, text in looked_at.items()},
        "outcome": json.dumps(outcome.to_dict()),
        "reprs": repr([credentials, settings, settings.alerts, outcome]) + str(settings),
        "settings as JSON": settings.model_dump_json(),
        "journal as rows": repr(bootstrap.journal_frame(tmp_path / "j.db").to_dicts()),
    }
    found = {name for name, text in shown.items() for secret in PLANTED if secret in text}
    assert found == set()
    for path in tmp_path.rglob("*"):  # the journal, its log, the run and its report
        if path.is_file():
            content = path.read_bytes()
            assert not any(secret.encode() in content for secret in PLANTED), path
