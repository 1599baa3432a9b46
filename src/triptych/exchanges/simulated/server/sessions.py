"""WebSocket sessions of the server: pings, logins, subscriptions, and the delivery of messages, faults included."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from triptych.exchanges.simulated.server.faults import Faults
from triptych.exchanges.simulated.server.refusal import Refusal
from triptych.exchanges.simulated.server.security import check_login

PRIVATE_TOPICS = ("order", "execution", "execution.fast", "position", "wallet")


class Session:
    """One connection. `is_frozen`: it stays open and says nothing any more, as behind a dead router."""

    def __init__(self, socket: web.WebSocketResponse, number: int, kind: str) -> None:
        self.socket = socket
        self.kind = kind
        self.topics: set[str] = set()
        self.is_frozen = False
        self.is_known = False
        self.identifier = f"conn-{number}"
        self._held: dict[str, Any] | None = None

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send one message, unless the connection is frozen or gone."""
        if self.is_frozen or self.socket.closed:
            return
        try:
            await self.socket.send_str(orjson.dumps(message).decode())
        except (ConnectionError, RuntimeError):
            self.topics.clear()

    async def deliver(self, message: dict[str, Any], faults: Faults, chance: random.Random) -> None:
        """Send a message of a topic through the faults that are set."""
        wanted = faults.stream
        touched = not wanted.topics or message["topic"].startswith(wanted.topics)
        if touched and wanted.delay_s:
            await asyncio.sleep(wanted.delay_s)
        if touched and chance.random() < wanted.lose:
            return
        if touched and self._held is None and chance.random() < wanted.swap:
            self._held = message
            return
        await self.send(message)
        if touched and chance.random() < wanted.double:
            await self.send(message)
        await self.release()

    async def release(self) -> None:
        """Send what was held back to come late."""
        if self._held is not None:
            held, self._held = self._held, None
            await self.send(held)


class Sessions:
    """All connections.

    Args:
        keys: secrets by API key.
        faults: see `Faults`.
        now_ms: the server's clock.
        snapshot: what a new subscriber of a public topic hears at once; raises Refusal for a topic that does not exist.
        trade: carries out an order that comes on the trade stream; see `BybitServer`.
        chance: decides which messages are lost, doubled and swapped.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, str],
        faults: Faults,
        now_ms: Callable[[], int],
        snapshot: Callable[[str], dict[str, Any] | None],
        trade: Callable[[str, Mapping[str, Any]], dict[str, Any]],
        chance: random.Random,
    ) -> None:
        self.open: list[Session] = []
        self._keys = keys
        self._faults = faults
        self._now_ms = now_ms
        self._snapshot = snapshot
        self._trade = trade
        self._chance = chance
        self._count = 0

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one connection until it ends; the path says whether it is public, private or trade."""
        kind = request.match_info["kind"]
        if self._faults.maintenance:
            return web.Response(status=503, text="maintenance")
        socket = web.WebSocketResponse(autoping=True)
        await socket.prepare(request)
        self._count += 1
        session = Session(socket, self._count, kind)
        self.open.append(session)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT and not session.is_frozen:
                    await self._on_text(session, message.data)
        finally:
            self.open.remove(session)
        return socket

    async def broadcast(self, kind: str, messages: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Deliver messages to all that have subscribed to their topics."""
        for topic, message in messages:
            for session in list(self.open):
                if session.kind == kind and topic in session.topics:
                    await session.deliver(message, self._faults, self._chance)
        for session in list(self.open):
            await session.release()

    async def cut(self) -> None:
        """Close every connection."""
        for session in list(self.open):
            await session.socket.close(code=1001, message=b"going away")

    def freeze(self) -> None:
        """Every present connection stays open and says nothing any more; new ones work."""
        for session in self.open:
            session.is_frozen = True

    async def _on_text(self, session: Session, text: str) -> None:
        try:
            asked = orjson.loads(text)
            op = asked["op"]
        except (ValueError, TypeError, KeyError):
            await session.send({"success": False, "ret_msg": "error:invalid op", "conn_id": session.identifier})
            return
        if session.kind == "trade" and op.startswith("order."):
            answer = self._trade(op, asked) if session.is_known else {"retCode": 20001, "retMsg": "Not authenticated"}
            await session.send({"reqId": asked.get("reqId", ""), "op": op, "connId": session.identifier, **answer})
            return
        if op == "auth":
            await self._login(session, asked)
        elif op == "ping":
            await session.send(self._pong(session, asked))
        elif op in ("subscribe", "unsubscribe"):
            await self._subscribe(session, op, asked)
        else:
            await session.send(self._ack(session, asked, False, "error:invalid op"))

    async def _login(self, session: Session, asked: Mapping[str, Any]) -> None:
        code, text = 0, ""
        try:
            check_login(asked.get("args"), self._keys, self._now_ms())
            session.is_known = True
        except Refusal as refusal:
            code, text = refusal.code, refusal.text
        answer = self._ack(session, asked, not code, text)
        if session.kind == "trade":
            answer = {"op": "auth", "connId": session.identifier, "reqId": asked.get("reqId", "")}
            answer |= {"retCode": code, "retMsg": text or "OK"}
        elif code:
            answer |= {"retCode": code, "retMsg": text}
        await session.send(answer)

    async def _subscribe(self, session: Session, op: str, asked: Mapping[str, Any]) -> None:
        topics = [str(one) for one in asked.get("args") or []]
        snapshots: list[dict[str, Any] | None] = []
        try:
            if session.kind == "private":
                if not session.is_known:
                    raise Refusal(10003, "Request not authorized")
                unknown = [one for one in topics if one not in PRIVATE_TOPICS]
                if unknown:
                    raise Refusal(10001, f"error:handler not found,topic:{unknown[0]}")
            else:
                snapshots = [self._snapshot(topic) for topic in topics]
        except Refusal as refusal:
            await session.send(self._ack(session, asked, False, refusal.text))
            return
        if op == "unsubscribe":
            session.topics.difference_update(topics)
            await session.send(self._ack(session, asked, True, ""))
            return
        session.topics.update(topics)
        await session.send(self._ack(session, asked, True, ""))
        for snapshot in snapshots:
            if snapshot is not None:
                await session.send(snapshot)

    def _ack(self, session: Session, asked: Mapping[str, Any], success: bool, text: str) -> dict[str, Any]:
        answer: dict[str, Any] = {"success": success, "ret_msg": text, "conn_id": session.identifier}
        if "req_id" in asked:
            answer["req_id"] = str(asked["req_id"])
        return answer | {"op": asked.get("op", "")}

    def _pong(self, session: Session, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Public and private streams answer in different forms."""
        if session.kind == "public":
            return {"success": True, "ret_msg": "pong", "conn_id": session.identifier,
                    "req_id": str(asked.get("req_id", "")), "op": "ping"}  # fmt: skip
        return {"req_id": str(asked.get("req_id", "")), "op": "pong", "args": [str(self._now_ms())],
                "conn_id": session.identifier}  # fmt: skip
