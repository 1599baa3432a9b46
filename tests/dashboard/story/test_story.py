from dataclasses import replace

from tests.dashboard.records import MINUTE, START, SYMBOL, Scribe, filled, note, order, step, switched

from triptych.dashboard.story import Story
from triptych.live.journal import Switch


def told():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(filled(), after_ms=50)
    scribe.write(step(close_ms=START + MINUTE, cash="9800", quantity="2", mark=110.0, denied="too large"))
    scribe.write(note("reconciliation", "the venue holds 3, our fills make 2"))
    scribe.token = 2
    scribe.write(switched(Switch.KILLED))
    return scribe


def test_decisions_carry_their_orders_and_what_was_held_back():
    story = told().tell(Story())
    first, second = story.decisions
    assert (first.symbol, first.close_ms, first.orders, first.held_back) == (SYMBOL, START, ("o1",), ())
    assert (second.orders, second.held_back, second.reason) == ((), ("too large",), "long: sure")
    assert story.decision(3, SYMBOL) is second
    assert story.decision(3, "ETHUSDT") is None


def test_equity_exposure_and_stops_come_from_the_books_after_each_decision():
    story = told().tell(Story())
    second = story.moments[1]
    assert (second.time_ms, second.equity, second.stops) == (START + MINUTE, 10_020.0, ((SYMBOL, 95.0),))
    assert second.exposure == 220 / 10_020
    assert story.initial_capital == 10_000


def test_every_process_that_wrote_is_known():
    scribe = told()
    story = scribe.tell(Story())
    assert list(story.writers) == [(1, START), (2, START + 50)]


def test_an_entry_that_is_told_again_changes_nothing():
    scribe = told()
    story = scribe.tell(scribe.tell(Story()))
    assert (len(story.decisions), len(story.fills), len(story.told), story.last_seq) == (2, 1, 5, 5)


def test_entries_are_told_in_words_with_their_topic():
    story = told().tell(Story())
    assert [(one.kind, one.topic, one.words) for one in story.told][3:] == [
        ("NoteWritten", "reconciliation", "reconciliation: the venue holds 3, our fills make 2"),
        ("SwitchSet", "", "anna set the switch to killed: a storm"),
    ]
    assert story.told[0].symbol == SYMBOL


def test_fills_after_the_last_decision_are_apart():
    scribe = told()
    assert scribe.tell(Story()).fills_since == []
    scribe.write(filled(fill_id="f9"))
    assert [fill.fill_id for fill in scribe.tell(Story()).fills_since] == ["f9"]


def test_a_decision_tells_which_model_took_it_where_the_journal_does():
    scribe = Scribe()
    for i, model in enumerate(("net (cuda) 0123456789ab", "rules", "", "stand-in 1")):
        scribe.write(replace(step(close_ms=START + i * MINUTE), model=model))
    assert [one.identity for one in scribe.tell(Story()).decisions] == ["0123456789ab", "", "", ""]
