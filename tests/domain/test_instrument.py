from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triptych.domain import Instrument
from triptych.domain.errors import OrderError

D = Decimal
PERPETUAL = Instrument(symbol="BTCUSDT", price_step=D("0.10"), quantity_step=D("0.001"))


@pytest.mark.parametrize(
    ("price", "rounded"),
    [(30000.04, "30000.0"), (30000.06, "30000.1"), (30000.05, "30000.0"), (30000.15, "30000.2"), (D("0.1"), "0.1")],
)
def test_a_price_is_rounded_to_the_nearest_step_and_halves_to_the_even_one(price, rounded):
    assert PERPETUAL.round_price(price) == D(rounded)


@pytest.mark.parametrize(
    ("quantity", "rounded"), [(0.0019999, "0.001"), (1.2345, "1.234"), (0.0009, "0"), (D("2.001"), "2.001")]
)
def test_a_quantity_is_cut_down(quantity, rounded):
    assert PERPETUAL.round_quantity(quantity) == D(rounded)


def test_a_float_is_taken_by_its_shortest_text():
    # 0.3 is 0.299999999999999988... in binary; nobody who writes 0.3 means 0.2.
    tenths = Instrument(symbol="X", quantity_step=D("0.1"))
    assert tenths.round_quantity(0.3) == D("0.3")


steps = st.sampled_from([D("0.00000001"), D("0.001"), D("0.05"), D("0.1"), D("0.25"), D("1"), D("5")])
amounts = st.decimals("0", "100000", places=9)


@given(step=steps, amount=amounts)
def test_a_quantity_is_on_the_grid_and_never_more_than_asked(step, amount):
    rounded = Instrument(symbol="X", quantity_step=step).round_quantity(amount)
    assert rounded % step == 0
    assert 0 <= amount - rounded < step


@given(step=steps, amount=amounts)
def test_a_price_is_on_the_grid_and_within_half_a_step(step, amount):
    instrument = Instrument(symbol="X", price_step=step)
    rounded = instrument.round_price(amount)
    assert rounded % step == 0
    assert abs(amount - rounded) <= step / 2
    assert instrument.round_price(rounded) == rounded


@pytest.mark.parametrize("field", ["price_step", "quantity_step"])
def test_steps_must_be_above_zero(field):
    with pytest.raises(OrderError) as caught:
        Instrument(symbol="X", **{field: D(0)})
    assert str(caught.value) == "X: price and quantity steps must be above zero."


@given(quantity=st.integers(1, 100_000), most=st.integers(1, 5_000), least=st.integers(0, 5_000))
def test_slices_make_the_whole_and_none_is_larger_than_the_largest_order_or_needlessly_small(quantity, most, least):
    step = D("0.001")
    rules = Instrument(
        symbol="X", quantity_step=step, minimum_quantity=min(least, most) * step, maximum_market_quantity=most * step
    )
    found = rules.slices(quantity * step)
    assert sum(found) == quantity * step
    assert all(0 <= one <= most * step for one in found)
    if len(found) > 1 and 2 * rules.minimum_quantity <= most * step:
        assert min(found) >= rules.minimum_quantity


def test_without_a_known_limit_nothing_is_sliced():
    assert PERPETUAL.slices(D(1_000_000)) == [D(1_000_000)]
    assert PERPETUAL.largest_order(is_market=True) is None
    tiny = Instrument(symbol="X", quantity_step=D(1), maximum_market_quantity=D("0.5"))
    assert tiny.largest_order(is_market=True) is None
