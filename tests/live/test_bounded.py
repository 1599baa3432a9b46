"""What a house that never ends may keep: the short form of `python -m benchmarks.soak`, which measures its memory."""

from tests.live.wired import BTC, play


def sizes(scene):
    """Everything in the house that is filled by what happens."""
    trader, runner = scene.trader, scene.house.runner
    books, engine = trader.books, scene.house.engine
    queue = runner.feed._queues[BTC]
    return {
        "orders under way": len(books._intake._tracked),
        "fills recognised": len(books._intake._seen),
        "times of decisions": len(books._decided_ms),
        "entries kept aside": len(books._aside),
        "records of one decision": len(trader._records),
        "fills of the portfolio": len(engine.portfolio._fill_ids),
        "candles of the window": len(engine._windows[BTC]),
        "candles that wait": len(queue.waiting),
        "ages": len(runner._heard_ms),
        "orders of the desk": len(engine._desks[BTC].orders),
        "orders of the last minute": len(trader._gate._passed),
    }


def test_nothing_in_a_house_grows_with_time(tmp_path, monkeypatch):
    monkeypatch.setattr("triptych.live.intake.REMEMBERED", 20)
    monkeypatch.setattr("triptych.trading.portfolio.REMEMBERED", 20)

    async def act(scene):
        found = []
        for n in range(60):
            scene.wish.says = 1 if n % 2 else -1
            await scene.close()
            if n in (29, 59):
                found.append(sizes(scene))
        assert len(scene.server.desk.executions) > 70
        return found

    half, whole = play(tmp_path, act)
    half.pop("orders of the last minute")
    assert whole.pop("orders of the last minute") <= 60  # of the last 60 seconds, however long it runs
    assert half["fills recognised"] == half["fills of the portfolio"] == 20
    assert whole == half
    assert max(whole.values()) <= 20
