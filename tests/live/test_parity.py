"""One tape through backtest, paper and live over the protocol, in one run."""

import asyncio

from benchmarks.parity import compare


def test_one_tape_through_backtest_paper_and_live_over_the_protocol_gives_the_same_decisions_and_fills():
    found = asyncio.run(compare(100))
    decisions, fills = found.backtest.decisions, found.backtest.fills
    assert len(decisions) == 200  # two instruments, each at every close
    assert {one[1] for one in decisions} == {"BTCUSDT", "ETHUSDT"}
    assert (len(fills), sum(one[6] == "stop" for one in fills)) == (129, 46)
    for mode in (found.paper, found.live):
        assert found.decisions(mode) == decisions
        assert mode.fills == fills
        assert mode.equity == found.backtest.equity
        assert found.differences(mode) == (0, 0)
    asked = {(one[1], one[3]) for one in fills}
    assert len(asked) > 40  # filled in parts of many sizes
