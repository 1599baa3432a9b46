import asyncio

import aiohttp
import pytest

from triptych.domain.errors import RecipeError, StorageError
from triptych.live.monitoring import Metrics
from triptych.live.monitoring.server import MetricsServer, parse_address

TOKEN = "a token of metrics"
DOUBTS = {"AAA": "the venue holds 2, our fills make 1"}


def ask(reasons, *paths, host="127.0.0.1", token=None, headers=None):
    async def run():
        metrics = Metrics()
        metrics.equity.set(123)
        server = MetricsServer(metrics, lambda: reasons, token=token)
        port = await server.start(host, 0)
        try:
            async with aiohttp.ClientSession(headers=headers) as session:
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


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_an_address_that_others_can_reach_takes_a_token_of_its_own(host):
    with pytest.raises(RecipeError) as caught:
        ask({}, host=host)
    assert str(caught.value) == (
        f"{host} can be reached from other machines, and there is no token. Set TRIPTYCH_METRICS_TOKEN to 16 "
        "characters or more, or TRIPTYCH_METRICS_TOKEN_FILE to a file that holds it."
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("said", [None, "Bearer another token", f"Basic {TOKEN}"])
def test_without_the_token_nobody_learns_more_than_that_the_house_lives_and_is_ready(host, said):
    headers = {} if said is None else {"Authorization": said}
    (metrics, alive, ready) = ask(DOUBTS, "/metrics", "/healthz", "/readyz", host=host, token=TOKEN, headers=headers)
    assert metrics == (401, '{"error": "The token is missing or wrong."}')
    assert alive == (200, '{"alive": true}')
    assert ready == (503, '{"ready": false}')


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_the_token_everything_is_told(host):
    headers = {"Authorization": f"Bearer {TOKEN}"}
    (metrics, ready) = ask(DOUBTS, "/metrics", "/readyz", host=host, token=TOKEN, headers=headers)
    assert "triptych_equity_quote 123.0" in metrics[1]
    assert ready == (503, '{"ready": false, "reasons": {"AAA": "the venue holds 2, our fills make 1"}}')


def test_a_web_page_that_lets_its_name_point_to_this_machine_learns_nothing():
    (metrics, ready) = ask(DOUBTS, "/metrics", "/readyz", headers={"Host": "evil.example:9000"})
    assert metrics == (421, '{"error": "This is not the host that was asked for."}')
    assert ready == (503, '{"ready": false}')


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
