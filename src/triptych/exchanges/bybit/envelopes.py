"""The outside of every message: REST replies, and what a stream sends beside data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from triptych.exchanges.bybit.codes import error_of
from triptych.exchanges.bybit.fields import Fields, decode


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """A REST reply without its envelope. `time_ms` is the venue's clock; None where it was not told."""

    result: Fields
    time_ms: int | None
    code: int


def read_reply(content: Mapping[str, Any], request: str) -> Reply:
    """Open a REST reply. Raises the error of its return code, ProtocolError when it is no reply at all."""
    fields = Fields(content, request)
    code = fields.integer("retCode")
    error = error_of(code, fields.text_or_empty("retMsg"), request)
    if error is not None:
        raise error
    result = content.get("result")
    return Reply(
        result=Fields({} if result is None else result, request), time_ms=fields.optional_integer("time"), code=code
    )


def venue_time_ms(content: Mapping[str, Any]) -> int | None:
    """The venue's clock in a reply, also in one that refuses; None where it is not told."""
    time = content.get("time")
    return time if isinstance(time, int) and not isinstance(time, bool) and time > 0 else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pong:
    """The answer to a ping. The venue has three forms of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ack:
    """The answer to a subscription, an authentication or an order on a stream.

    Attributes:
        op: auth, subscribe, unsubscribe, order.create ...
        is_success: whether it was carried out.
        request_id: ours, as text; empty where the venue did not repeat it.
        text: the venue's words.
        code: return code; 0 or None on success.
        data: ids of an order that was sent on a stream.
    """

    op: str
    is_success: bool
    request_id: str
    text: str
    code: int | None = None
    data: Mapping[str, Any] | None = None


class Data(NamedTuple):
    """A message of a topic, still to be parsed. A tuple: there are thousands a second."""

    topic: str
    content: Mapping[str, Any]


Frame = Pong | Ack | Data


def read_frame(text: str | bytes) -> Frame:
    """What a stream has sent. Raises ProtocolError for what is none of the known forms."""
    content = decode(text, "stream message")
    topic = content.get("topic")
    if topic is not None:
        is_text = bool(topic) and isinstance(topic, str)
        return Data(topic if is_text else Fields(content, "stream message").text("topic"), content)
    fields = Fields(content, "stream message")
    op = fields.text("op")
    if op == "pong" or (op == "ping" and (content.get("ret_msg") == "pong" or content.get("retMsg") == "pong")):
        return Pong()
    code = fields.optional_integer("retCode")
    success = fields.flag("success") if "success" in content else code == 0
    identifier = content.get("req_id", content.get("reqId"))
    data = content.get("data")
    return Ack(
        op=op, is_success=success, request_id="" if identifier is None else str(identifier), code=code,
        text=fields.text_or_empty("ret_msg" if "ret_msg" in content else "retMsg"),
        data=data if isinstance(data, dict) else None,
    )  # fmt: skip
