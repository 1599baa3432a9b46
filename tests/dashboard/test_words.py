import pytest

from triptych.dashboard import words


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(None, "–"), (0, "0 ms"), (0.4, "< 1 ms"), (12, "12 ms"), (3_240, "3.2 s"), (61_000, "1 min 1 s"),
     (7_200_000, "2 h"), (190_800_000, "2 d 5 h")],
)  # fmt: skip
def test_durations_take_two_units_at_most(milliseconds, text):
    assert words.duration(milliseconds) == text


def test_money_prices_and_quantities_show_the_figures_that_count():
    assert words.money(-1234.567, sign=True) == "−1,234.57"
    assert words.money(0.01234) == "0.0123"
    assert words.price(65_012.346) == "65,012.3"
    assert words.price(0.0000123) == "0.00001"
    assert words.quantity("576.33937263") == "576.339"
    assert words.quantity("-0E-8") == "0"
    assert words.quantity("1200000") == "1,200,000"


def test_latencies_and_times():
    assert (words.seconds(0.000_25), words.seconds(0.0123), words.seconds(2.5)) == ("250 µs", "12.3 ms", "2.5 s")
    assert words.moment(1_700_006_400_000) == "2023-11-15 00:00"
    assert words.stamp(1_700_006_400_123) == "2023-11-15T00:00:00.123Z"
