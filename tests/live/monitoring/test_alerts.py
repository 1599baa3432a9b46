import asyncio

import pytest

from triptych.domain.clock import ManualClock
from triptych.live.monitoring import Alerts
from triptych.live.monitoring.alerts import Config


class Webhook:
    """Keeps what is sent; refuses the first `refusals` times, or hangs."""

    def __init__(self, refusals=0, hangs=False):
        self.sent, self.calls, self.refusals, self.hangs = [], 0, refusals, hangs

    async def __call__(self, message):
        self.calls += 1
        if self.hangs:
            await asyncio.sleep(60)
        if self.calls <= self.refusals:
            raise ConnectionError("refused")
        self.sent.append(message)


def raise_alerts(webhook, acts, **config):
    clock, logged = ManualClock(1_000_000), []

    async def run():
        alerts = Alerts(
            Config(pause_seconds=0, **config), instance="house", clock=clock, log=logged.append, send=webhook
        )
        alerts.start()
        for after_ms, act in acts:
            clock.set(clock.now_ms() + after_ms)
            alerts.alert(*act)
        await alerts.stop(within_s=0.2)

    asyncio.run(run())
    return logged


def test_an_alert_reaches_log_and_webhook():
    webhook = Webhook()
    logged = raise_alerts(webhook, [(0, ("critical", "reconciliation", "0.1 more than we knew", "BTCUSDT"))])
    assert len(logged) == 1
    assert webhook.sent == [
        {
            "text": "[critical] house BTCUSDT: 0.1 more than we knew", "severity": "critical",
            "topic": "reconciliation", "symbol": "BTCUSDT", "instance": "house", "time_ms": 1_000_000,
        }
    ]  # fmt: skip


def test_repeats_are_kept_back_and_counted():
    webhook = Webhook()
    stale = ("warning", "stale", "no candles", "BTCUSDT")
    acts = [(0, stale), (60_000, stale), (60_000, stale), (0, ("warning", "stale", "no candles", "ETHUSDT"))]
    logged = raise_alerts(webhook, [*acts, (900_000, stale), (900_000, stale)])
    assert len(logged) == 6
    assert [message["text"] for message in webhook.sent] == [
        "[warning] house BTCUSDT: no candles",
        "[warning] house ETHUSDT: no candles",
        "[warning] house BTCUSDT: no candles (2 more like this before)",
        "[warning] house BTCUSDT: no candles",
    ]


@pytest.mark.parametrize(("refusals", "sent"), [(2, 1), (3, 0)])
def test_a_delivery_is_tried_again_a_few_times(refusals, sent):
    webhook = Webhook(refusals=refusals)
    raise_alerts(webhook, [(0, ("info", "a", "b"))])
    assert (len(webhook.sent), webhook.calls) == (sent, 3)


def test_a_webhook_that_hangs_does_not_hold_up_the_end():
    logged = raise_alerts(Webhook(hangs=True), [(0, ("info", str(i), "b")) for i in range(3)])
    assert len(logged) == 3


def test_the_address_is_not_shown():
    config = Config(webhook="https://hooks.example/sesame")
    assert "sesame" not in repr(config) + str(config)


def test_without_a_webhook_alerts_are_only_logged():
    assert len(raise_alerts(None, [(0, ("info", "a", "b"))])) == 1
