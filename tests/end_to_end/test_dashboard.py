"""`triptych live` on `triptych exchange serve`, looked at and stopped in a real browser."""

import asyncio
import json
import shutil
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from tests.fakes.browser import chromium, find_chromium
from tests.fakes.command import Command

from triptych.bootstrap import open_run
from triptych.bootstrap.candles import load_candles
from triptych.market.frames import to_panel

TOKEN = "a-token-for-the-browser-4711"
SECRET = "open-sesame-98765"
SCREENS = {
    "dark": {"dark": True}, "light": {"dark": False},
    "phone": {"width": 390, "height": 844, "dark": True, "is_phone": True},
}  # fmt: skip


def ask(url, data=None):
    with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as answer:
        return json.loads(answer.read())


@pytest.fixture
def session(trained, tmp_path):
    """A session that trades, its dashboard, and the exchange below; returns the dashboard's URL, a step, and `live`."""
    find_chromium()
    (series,) = load_candles(open_run(trained).recipe).series
    to_panel([series]).write_parquet(tmp_path / "tape.parquet")
    shutil.copytree(trained, tmp_path / "runs" / "micro")
    exchange = Command(
        "exchange", "serve", "--data", tmp_path / "tape.parquet", "--known", 900, "--pace", 0, "--port", 0,
        "--key", f"served-key:{SECRET}",
    )  # fmt: skip
    live = None
    try:
        venue = exchange.after("REST")
        socket = venue.replace("http", "ws")
        live = Command(
            "live", tmp_path / "runs" / "micro", "--venue", "local", "--symbol", series.symbol.replace("-", ""),
            "--journal", tmp_path / "j.db", "--log", tmp_path / "log.jsonl", "--dashboard", 0,
            "--set", "name=micro", "--set", "capital=10000", "--set", "model_deadline_seconds=60",
            "--set", "gate.max_orders_per_minute=1000", "--set", f"hosts.rest={venue}",
            "--set", f"hosts.public={socket}/v5/public", "--set", f"hosts.private={socket}/v5/private",
            BYBIT_API_KEY="served-key", BYBIT_API_SECRET=SECRET, TRIPTYCH_TOKEN=TOKEN,
        )  # fmt: skip
        yield live.after("Dashboard:"), lambda: ask(f"{venue}/triptych/step", b""), live
    finally:
        if live is not None:
            live.end()
        exchange.end()


def held(url):
    """The position as our books have it and as the venue has it."""
    (position,) = ask(f"{url}/api/overview")["positions"]
    venue = position["venue"]
    return float(position["quantity"]), float(venue["quantity"]) if venue else None


async def trade_until(url, step, is_enough):
    while ask(f"{url}/api/overview")["instance"]["status"] != "ready":  # the dashboard has not asked yet
        await asyncio.sleep(0.2)
    for _ in range(90):
        step()
        await asyncio.sleep(0.25)
        if is_enough(*held(url)) and len(ask(f"{url}/api/decisions")["decisions"]) > 5:
            return
    raise AssertionError(f"the position is {held(url)}")


@pytest.mark.slow
@pytest.mark.timeout(900)  # three processes and a browser: on a machine that is busy each takes its time
def test_a_session_is_looked_at_and_killed_in_a_browser(session, tmp_path):
    asyncio.run(look_and_kill(session, tmp_path))


async def look_and_kill(session, tmp_path):
    url, step, live = session
    await trade_until(url, step, lambda ours, venue: ours and ours == venue)
    async with chromium() as page:
        for name, screen in SCREENS.items():
            await page.look(**screen)
            await page.open(url)
            await page.until("document.querySelector('.t-plot .main-svg') && document.querySelector('.t-position')")
            await page.until("[...document.images].length && [...document.images].every(i => i.naturalWidth > 50)")
            assert await page.value("document.documentElement.scrollWidth <= innerWidth"), name
            shot = await page.picture(tmp_path / f"overview-{name}.png")
            assert shot.stat().st_size > 20_000
        await look_for_decisions(page, url, tmp_path)
        await visit_all(page, url)
        await page.look(dark=True)
        await page.open(url)
        await kill(page, step, tmp_path)
        assert page.errors == []
    assert held(url) == (0.0, 0.0)
    assert ask(f"{url}/api/overview")["instance"]["status"] == "killed"
    switches = ask(f"{url}/api/journal")["switches"]
    assert [(one["switch"], one["by"], one["reason"]) for one in switches] == [
        ("killed", "the dashboard", "a storm is coming")
    ]
    assert live.end() == 0
    with pytest.raises(urllib.error.URLError):  # the dashboard has ended with its session
        ask(f"{url}/api/overview")
    assert secrets_in(tmp_path, live) == []


HEATED = "[...document.querySelectorAll('.t-decision')][0].querySelectorAll('img')"
SHOWN = "[...document.querySelectorAll('.t-decision .t-row')].map(row => row.innerText)"


async def look_for_decisions(page, url, folder):
    """What the model saw lies beside the same with its heat, and the field finds decisions by their words."""
    for name, screen in SCREENS.items():
        await page.look(**screen)
        await page.open(f"{url}/decisions")
        await page.until("document.querySelectorAll('.t-decision').length > 3")
        # Pictures below the fold wait until somebody scrolls to them.
        await page.until(f"{HEATED}.length === 2 && [...{HEATED}].every(i => i.complete && i.naturalWidth > 50)")
        assert await page.value("document.documentElement.scrollWidth <= innerWidth"), name
        await asyncio.sleep(1.0)  # those beside it are drawn, too
        await page.picture(folder / f"decisions-{name}.png")
    plain, hot = await page.value(f"[...{HEATED}].map(i => i.src)")
    assert (urllib.request.urlopen(plain).read() == urllib.request.urlopen(hot).read()) is False
    everything = ask(f"{url}/api/decisions?limit=1000")["decisions"]
    buys = [one for one in everything if one["says"] == "buy"][:40]
    await page.type("[data-testid=search]", "buy")
    await page.until(f"{SHOWN}.length && {SHOWN}.length === {len(buys)} && {SHOWN}.every(row => /buy/i.test(row))")
    await page.type("[data-testid=search]", "no such words", replaces=True)
    await page.until("!document.querySelector('.t-decision')")


async def visit_all(page, url):
    """Every page is drawn, on a phone without running over its side, and none shows a secret."""
    await page.look(**SCREENS["phone"])
    for path, drawn in {
        "": ".t-position", "decisions": ".t-decision img", "orders": ".t-step.filled", "health": ".t-table",
        "journal": ".StepRecorded", "runs": ".t-run .curve",
    }.items():  # fmt: skip
        await page.open(f"{url}/{path}")
        await page.until(f"document.querySelector({drawn!r})")
        assert await page.value("document.documentElement.scrollWidth <= innerWidth"), path
        shown = await page.value("document.documentElement.outerHTML")
        twin = json.dumps(ask(f"{url}/api/{path or 'overview'}"))
        assert [word for word in (TOKEN, SECRET, "served-key") if word in shown + twin] == []


async def kill(page, step, folder: Path):
    """Once with a wrong token, which does nothing, then in earnest."""
    await page.click("[data-testid=stop]")
    await page.type("[data-testid=confirm]", "micro")
    await page.type("[data-testid=token]", "not-the-token-at-all")
    await page.type("[data-testid=reason]", "a storm is coming")
    await page.click("[data-testid=kill]")
    await page.until("document.querySelector('[data-testid=trouble]').innerText === 'The token is missing or wrong.'")
    assert await page.value("document.querySelector('[data-testid=status]').innerText") == "ready"
    await page.type("[data-testid=token]", TOKEN, replaces=True)
    await page.click("[data-testid=kill]")
    await page.until("document.querySelector('[data-testid=killed]')")
    # Until the venue has filled it, the page says what is not closed yet.
    await page.until("/the venue holds/.test(document.querySelector('[data-testid=closing]')?.innerText)")
    await page.until("/not everything is closed yet/.test(document.querySelector('[data-testid=killed]').innerText)")
    await page.picture(folder / "closing.png")
    step()  # a market order is filled at the next candle of the tape
    await page.until("parseFloat(document.querySelector('[data-testid=position]').dataset.quantity) === 0")
    await page.until("!document.querySelector('.q-dialog')")
    await page.picture(folder / "killed.png")
    step()
    await page.until("document.querySelector('.t-position .ok')")
    await page.until("/holds nothing any more/.test(document.querySelector('[data-testid=killed]').innerText)")
    assert not await page.value("document.querySelector('[data-testid=closing]')")


def secrets_in(folder, live):
    """Files and words in which the key's secret or the token stands."""
    texts = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    texts["terminal"] = "".join(live.said).encode()
    return [name for name, text in texts.items() if SECRET.encode() in text or TOKEN.encode() in text]
