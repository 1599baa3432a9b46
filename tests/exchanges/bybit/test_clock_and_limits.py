import asyncio

import pytest
from tests.fakes.venue_wire import FakeTimer

from triptych.domain import ManualClock
from triptych.domain.errors import ClockRefused, RateLimited
from triptych.exchanges.bybit.limits import Config, Limiter, TokenBucket
from triptych.exchanges.bybit.venue_clock import VenueClock


def test_the_reply_with_the_shortest_round_trip_tells_the_offset():
    clock = VenueClock(ManualClock(0))
    clock.observe(sent_ms=1000, received_ms=1400, venue_ms=6500)
    assert (clock.offset_ms, clock.uncertainty_ms) == (5300.0, 200.0)
    clock.observe(sent_ms=2000, received_ms=2020, venue_ms=7015)
    clock.observe(sent_ms=3000, received_ms=3900, venue_ms=9000)
    assert (clock.offset_ms, clock.uncertainty_ms) == (5005.0, 10.0)


def test_a_time_at_the_venue_errs_to_the_early_side():
    clock = VenueClock(ManualClock(10_000))
    clock.observe(sent_ms=10_000, received_ms=10_100, venue_ms=15_050)
    assert clock.now_ms() == 10_000 + 5_000 - 50


def test_old_samples_fall_out():
    clock = VenueClock(ManualClock(0))
    clock.observe(sent_ms=0, received_ms=0, venue_ms=9)
    for _ in range(16):
        clock.observe(sent_ms=0, received_ms=10, venue_ms=105)
    assert clock.offset_ms == 100.0


@pytest.mark.parametrize("skew_ms", [-5000, 5000])
def test_a_clock_too_far_away_is_refused(skew_ms):
    clock = VenueClock(ManualClock(0))
    clock.observe(sent_ms=0, received_ms=0, venue_ms=skew_ms)
    clock.require_within(5000)
    with pytest.raises(ClockRefused) as caught:
        clock.require_within(1000)
    assert caught.value.message == (
        f"This machine's clock differs from the venue's by {skew_ms / 1000:+.3f} s, more than 1 s."
    )


def test_a_bucket_lets_a_burst_pass_and_then_its_rate():
    bucket = TokenBucket(rate_per_s=10, capacity=3, now_s=0)
    assert [round(bucket.take(0), 9) for _ in range(5)] == [0, 0, 0, 0.1, 0.2]
    assert bucket.take(10) == 0


def run(limiter, *paths):
    async def ask():
        for path in paths:
            await limiter.acquire(path)

    asyncio.run(ask())


def test_no_more_than_600_requests_leave_in_any_5_seconds():
    timer = FakeTimer()
    limiter, sent = Limiter(Config(read_rate_per_s=100), timer), []

    async def ask():
        for n in range(2_000):
            await limiter.acquire(f"/{n % 40}")
            sent.append(timer.now_s)

    asyncio.run(ask())
    assert max(sum(start <= one < start + 5 for one in sent) for start in sent[::50]) <= 600


def test_orders_have_a_slower_bucket_than_questions():
    timer = FakeTimer()
    run(Limiter(Config(), timer), *["/v5/order/create"] * 21)
    assert timer.now_s == pytest.approx(1.1)


def test_the_venue_s_headers_are_heeded():
    timer = FakeTimer()
    limiter = Limiter(Config(), timer)
    headers = {"X-Bapi-Limit": "10", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": "1003000"}
    limiter.heed("/v5/order/create", headers, 1_000_000)
    run(limiter, "/v5/order/create")
    assert timer.now_s == pytest.approx(3.0)
    run(limiter, "/v5/market/time")
    assert timer.now_s == pytest.approx(3.0)


def test_after_a_403_nothing_is_sent_for_ten_minutes():
    timer = FakeTimer()
    limiter = Limiter(Config(), timer)
    limiter.halt()
    timer.now_s = 599.5
    with pytest.raises(RateLimited) as caught:
        run(limiter, "/v5/market/time")
    assert caught.value.message == (
        "/v5/market/time was not sent: the venue has locked this address out, nothing is sent for another 1 s."
    )
    assert caught.value.retry_after_ms == 500
    timer.now_s = 600.0
    run(limiter, "/v5/market/time")
