from decimal import Decimal

from triptych.domain import OrderDenied, Side, SubmitOrder
from triptych.live.holding import HeldBack


def denied(number, reason, symbol="AAA"):
    return OrderDenied(order_id=f"o{number}", symbol=symbol, time_ms=number, reason=reason)


def order(*, reduce_only, symbol="AAA"):
    return SubmitOrder(
        order_id="o", symbol=symbol, side=Side.BUY, quantity=Decimal(1), time_ms=0, reduce_only=reduce_only
    )  # fmt: skip


def test_a_reason_is_told_once_and_kept_until_an_entry_passes():
    said = []
    held = HeldBack(note=lambda *words: said.append(words))
    held.take([denied(1, "order of 9,900.5 is above 200")], [])
    held.take([denied(2, "order of 9,812.1 is above 200")], [order(reduce_only=True)])
    assert said == [("warning", "held back", "order o1 was held back: order of 9,900.5 is above 200", "AAA")]
    assert held.reasons == {"AAA": "order of 9,812.1 is above 200"}
    held.take([denied(3, "20 opening orders in the last minute")], [])
    held.take([denied(4, "order of 3 is above 200", "BBB")], [order(reduce_only=False)])
    assert held.reasons == {"BBB": "order of 3 is above 200"}
    held.take([denied(5, "20 opening orders in the last minute")], [])
    assert [text for _, _, text, _ in said[1:]] == [
        "order o3 was held back: 20 opening orders in the last minute",
        "order o4 was held back: order of 3 is above 200",
        "order o5 was held back: 20 opening orders in the last minute",
    ]  # fmt: skip
