import numpy as np
from tests.fakes.waves import waves


def test_rows_that_have_a_score_are_those_whose_windows_are_whole(silent_catch):
    values = waves(900)
    detector = silent_catch(waves(2000), bad_rows="mask")
    values[[300, 600, 601, 602, 603]] = np.nan
    table = detector.checked(values)
    known = detector.scored_rows(table)
    scores = detector.decision_function(table)
    assert (scores[~known] == 0.0).all()
    expected = np.r_[95:300, 301:600, 699:900]
    np.testing.assert_array_equal(np.flatnonzero(known), expected)
