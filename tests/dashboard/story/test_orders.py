from tests.dashboard.records import Scribe, answered, cancelled, filled, order, rejected, step

from triptych.dashboard.story import Orders
from triptych.dashboard.story.orders import phases_of
from triptych.domain import Side
from triptych.domain.order import FillReason


def lives(scribe):
    return {life.order_id: life for life in scribe.tell(Orders())}


def phases(life, now_ms):
    return [(phase, lasted) for phase, _, lasted, _ in phases_of(life, now_ms)]


def test_an_order_that_is_answered_and_filled_goes_from_sending_over_working_to_filled():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(answered("accepted"), after_ms=20)
    scribe.write(filled("0.5"), after_ms=100)
    scribe.write(filled("1.5", fill_id="f2", price="102"), after_ms=300)
    life = lives(scribe)["o1"]
    assert phases(life, scribe.now) == [("sending", 20), ("working", 100), ("partly filled", 300), ("filled", None)]
    assert life.average_price == 101.5
    assert float(life.fees) == 0.2
    assert life.unknown_ms(scribe.now) == 0


def test_an_order_without_an_answer_is_unknown_until_there_is_evidence():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(answered("unknown", text="timed out"), after_ms=5_000)
    life = lives(scribe)["o1"]
    assert (life.phase, life.unknown_ms(scribe.now + 700)) == ("unknown", 700)
    scribe.write(answered("accepted", text="found at the venue by its id"), after_ms=3_000)
    scribe.write(filled(), after_ms=1_000)
    life = lives(scribe)["o1"]
    assert phases(life, scribe.now) == [("sending", 5_000), ("unknown", 3_000), ("working", 1_000), ("filled", None)]
    assert life.unknown_ms(scribe.now) == 3_000


def test_an_order_of_a_process_that_died_before_an_answer_is_unknown_from_the_next_process_on():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.token = 2
    scribe.write(rejected(), after_ms=9_000)
    life = lives(scribe)["o1"]
    assert phases(life, scribe.now) == [("sending", 9_000), ("unknown", 0), ("rejected", None)]
    assert life.phases[1][2] == "the process ended before it heard an answer"


def test_what_is_final_stays_final():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(filled())
    scribe.write(answered("unknown"))
    scribe.write(cancelled())
    assert lives(scribe)["o1"].phase == "filled"


def test_a_fill_may_be_quicker_than_the_answer():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(filled("1"))
    scribe.write(answered("accepted"))
    assert lives(scribe)["o1"].phase == "partly filled"


def test_a_stop_at_the_venue_is_an_order_of_its_own():
    scribe = Scribe()
    scribe.write(step(order()))
    scribe.write(filled())
    scribe.write(filled(fill_id="f2", side=Side.SELL, price="95", reason=FillReason.STOP_LOSS))
    found = lives(scribe)
    assert list(found) == ["o1", "o1/f2"]
    assert (found["o1/f2"].type, found["o1/f2"].phase, found["o1/f2"].average_price) == ("stop loss", "filled", 95.0)
    assert float(found["o1"].filled) == 2.0


def test_a_fill_of_nobodys_order_is_called_foreign():
    scribe = Scribe()
    scribe.write(filled(order_id="", fill_id="adopted-1"))
    (life,) = lives(scribe).values()
    assert (life.order_id, life.type, life.phase) == ("venue/adopted-1", "foreign", "filled")


def test_only_the_newest_orders_are_kept():
    scribe = Scribe()
    for n in range(5):
        scribe.write(step(order(f"o{n}"), close_ms=n))
    orders = scribe.tell(Orders(kept=3))
    assert [life.order_id for life in orders.newest(2)] == ["o4", "o3"]
    assert (len(orders), orders.get("o1")) == (3, None)
