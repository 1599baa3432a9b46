import asyncio

import pytest
from aiohttp import ClientResponseError, web
from pydantic import SecretStr

from triptych.domain import ManualClock
from triptych.live.monitoring import Alerts
from triptych.live.monitoring.alerts import Config
from triptych.live.monitoring.webhook import post_to


def test_an_alert_is_posted_and_a_refusal_is_tried_again():
    heard, refusals = [], [503]

    async def take(request):
        if refusals:
            return web.Response(status=refusals.pop())
        heard.append(await request.json())
        return web.Response()

    async def run():
        app = web.Application()
        app.router.add_post("/hook", take)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        address = SecretStr(f"http://127.0.0.1:{runner.addresses[0][1]}/hook")
        config = Config(webhook=address, pause_seconds=0.0)
        alerts = Alerts(
            config, instance="house", clock=ManualClock(5), log=lambda alert: None, send=post_to(config.webhook)
        )
        alerts.start()
        alerts.alert("critical", "journal", "the disk is full", "BTCUSDT")
        await alerts.stop()
        with pytest.raises(ClientResponseError):
            await post_to(SecretStr(str(address.get_secret_value()) + "/nowhere"))({})
        await runner.cleanup()

    asyncio.run(run())
    assert heard == [
        {
            "text": "[critical] house BTCUSDT: the disk is full", "severity": "critical", "topic": "journal",
            "symbol": "BTCUSDT", "instance": "house", "time_ms": 5,
        }
    ]  # fmt: skip
