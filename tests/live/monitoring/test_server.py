import asyncio

import aiohttp
import pytest

from triptych.domain.errors import RecipeError, StorageError
from triptych.live.monitoring import Metrics
from triptych.live.monitoring.server import MetricsServer, parse_address


def ask(reasons, *paths):
    async def run():
        metrics = Metrics()
        metrics.equity.set(123)
        server = MetricsServer(metrics, lambda: reasons)
        port = await server.start("127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as session:
                answers = []
                for path in paths:
                    async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                        answers.append((answer.status, await answer.text()))
                return answers
        finally:
            await server.stop()

    return asyncio.run(run())


def test_metrics_liveness_and_readiness_are_served():
    (metrics, alive, ready) = ask({}, "/metrics", "/healthz", "/readyz")
    assert "triptych_equity_quote 123.0" in metrics[1]
    assert (metrics[0], alive[0], ready) == (200, 200, (200, '{"ready": true, "reasons": {}}'))


def test_who_is_not_ready_says_why():
    (ready, alive) = ask({"venue": "it could not be asked"}, "/readyz", "/healthz")
    assert ready == (503, '{"ready": false, "reasons": {"venue": "it could not be asked"}}')
    assert alive[0] == 200


def test_an_address_that_is_taken_is_an_error():
    async def run():
        first, second = MetricsServer(Metrics(), dict), MetricsServer(Metrics(), dict)
        port = await first.start("127.0.0.1", 0)
        try:
            with pytest.raises(StorageError, match=f"Metrics cannot be served on 127.0.0.1:{port}"):
                await second.start("127.0.0.1", port)
        finally:
            await first.stop()

    asyncio.run(run())


def test_addresses():
    assert parse_address("9000") == ("127.0.0.1", 9000)
    assert parse_address("0.0.0.0:9000") == ("0.0.0.0", 9000)
    assert parse_address("[::1]:9000") == ("::1", 9000)
    with pytest.raises(RecipeError) as caught:
        parse_address("here")
    assert str(caught.value) == "'here' is no address to listen on. Write 9000 or 127.0.0.1:9000."
