import numpy as np
from tests.fakes.micro import micro_recipe

from triptych.bootstrap.building import Dataset
from triptych.bootstrap.candles import load_candles
from triptych.bootstrap.voting import common_tests


def test_a_consensus_is_judged_on_windows_that_every_member_keeps_apart_from_the_segment_before(tmp_path):
    short = micro_recipe(tmp_path, "data.synthetic.n_candles=600")
    candles = load_candles(short)
    longer = short.model_copy(update={"features": short.features.model_copy(update={"period": 3})})
    datasets = [Dataset.of(one, candles) for one in (short, longer)]
    samples, places = common_tests(datasets)
    assert len(samples) == len(places) < len(common_tests(datasets[:1])[0])
    own = common_tests(datasets[1:])[0]
    np.testing.assert_array_equal(samples.time_ms, own.time_ms)
    length = short.window.length
    first = int(candles.series[0].close_time_ms.searchsorted(samples.time_ms[0]))
    start = int(candles.series[0].open_time_ms.searchsorted(datasets[0].folds[0].test.start_ms))
    assert first - start == 3 * (length + 1) - 2  # the window of longer candles begins in the segment
