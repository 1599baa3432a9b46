from triptych.training.tuning.stages import Tried, open_stage


def tried(*rows):
    return [Tried(stage=stage, skill=skill, at_edge=at_edge) for stage, skill, at_edge in rows]


def stage(rows, stages=3, stage_trials=4):
    return open_stage(tried(*rows), stages=stages, stage_trials=stage_trials)


def test_it_begins_small():
    assert stage([]) == 1
    assert stage([(1, 0.1, False)] * 3) == 1


def test_a_stage_that_was_tried_opens_the_next_one_only():
    assert stage([(1, 0.1, False)] * 4) == 2
    assert stage([(1, 0.1, False)] * 9) == 2
    assert stage([(1, 0.1, False)] * 4 + [(2, 0.0, False)] * 4) == 3


def test_a_large_one_that_is_the_best_of_three_opens_the_next_stage_early():
    assert stage([(1, 0.1, False), (1, 0.3, True), (1, 0.2, False)]) == 2
    assert stage([(1, 0.1, True), (1, 0.3, False), (1, 0.2, True)]) == 1
    assert stage([(1, 0.1, False), (1, 0.3, True)]) == 1


def test_the_promise_of_a_stage_is_held_against_all_before_it():
    before = [(1, 0.5, False)] * 4
    assert stage([*before, (2, 0.4, True), (2, 0.1, False), (2, 0.1, False)]) == 2
    assert stage([*before, (2, 0.6, True), (2, 0.1, False), (2, 0.1, False)]) == 3


def test_there_is_nothing_beyond_the_last_stage():
    assert stage([(1, 0.1, True)] * 9, stages=1) == 1
    assert stage([(1, 0.1, False)] * 4 + [(2, 0.0, False)] * 4 + [(3, 0.0, False)] * 9) == 3
