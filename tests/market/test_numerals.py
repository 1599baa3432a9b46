import polars as pl
import pytest

from triptych.market.numerals import read_numbers, uses_decimal_comma


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("12.5", 12.5), (" 12.5 ", 12.5), ("1e3", 1000.0), ("-3", -3.0), ("$1,234.5", 1234.5), ("1,234,567", 1234567.0),
        ("€12", 12.0), ("1 234.5", 1234.5), ("12.3K", 12300.0), ("1.5M", 1500000.0), ("2b", 2e9), ("1,5", None),
        ("12,34,5", None), ("abc", None), ("", None), ("1.2.3", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_people_write_them(text, number):
    assert read_numbers(pl.Series(["1", text])).to_list()[1] == number


def test_numbers_with_a_decimal_comma():
    column = pl.Series(["1.234,5", "0,25", "12", "1,5K"])
    assert read_numbers(column, decimal_comma=True).to_list() == [1234.5, 0.25, 12.0, 1500.0]


@pytest.mark.parametrize(
    ("texts", "separator", "expected"),
    [
        (["1,5", "2,25"], ";", True),
        (["1,234"], ";", True),
        (["1,234"], ",", False),
        (["1,23"], ",", True),
        (["1.234,5"], ",", True),
        (["1,234.5", "1,000"], ";", False),
        (["1.5", "2"], ";", False),
    ],
)
def test_the_decimal_comma_is_told_from_the_thousands_separator(texts, separator, expected):
    assert uses_decimal_comma([pl.Series(texts)], separator=separator) is expected


def test_columns_of_numbers_pass_through():
    assert read_numbers(pl.Series([1, 2, None])).to_list() == [1.0, 2.0, None]
    assert read_numbers(pl.Series(["1.5"]).cast(pl.Decimal(10, 2))).to_list() == [1.5]
    assert read_numbers(pl.Series([None, None])).to_list() == [None, None]
