"""A server of public streams that speaks as fast as it is told to: `python -m benchmarks._feeder RATE`.

It prints its port, acknowledges subscriptions, and then sends changes of order books and trades of all subscribed
instruments in turn, paced to RATE messages a second in all. The time of sending stands in `ts`, in milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import sys
import time

from aiohttp import WSMsgType, web

LEVELS = 5


def _side(chance: random.Random, sign: int) -> str:
    steps = chance.sample(range(1, 40), LEVELS)
    levels = (f'["{10_000 - sign * step * 0.1:.1f}","{chance.randrange(50)}.5"]' for step in steps)
    return ",".join(levels)


class Feeder:
    """One client at a time."""

    def __init__(self, rate: float) -> None:
        self._rate, self._chance = rate, random.Random(1)
        self._topics: list[str] = []
        self._updates: dict[str, int] = {}
        self._changes = [(_side(self._chance, 1), _side(self._chance, -1)) for _ in range(256)]

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Acknowledge, then send for ever."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        sending: asyncio.Task[None] | None = None
        async for message in socket:
            if message.type is not WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            if asked["op"] == "subscribe":
                self._topics += asked["args"]
                answer = {"success": True, "ret_msg": "", "op": "subscribe", "req_id": asked["req_id"], "conn_id": "1"}
                await socket.send_str(json.dumps(answer))
                sending = sending or asyncio.create_task(self._send(socket))
            elif asked["op"] == "ping":
                await socket.send_str('{"success":true,"ret_msg":"pong","conn_id":"1","req_id":"","op":"ping"}')
        if sending is not None:
            sending.cancel()
        return socket

    async def _send(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(1.0)  # until all is subscribed to
        started = time.monotonic()
        for n, topic in enumerate(itertools.cycle(list(self._topics))):
            ahead = started + n / self._rate - time.monotonic()
            if ahead > 0.002:
                await asyncio.sleep(ahead)
            await socket.send_str(self._message(topic, n))

    def _message(self, topic: str, n: int) -> str:
        now, symbol = time.time_ns() // 1_000_000, topic.rpartition(".")[2]
        if topic.startswith("publicTrade"):
            row = f'{{"T":{now},"s":"{symbol}","S":"Buy","v":"0.5","p":"10000.0","L":"PlusTick","i":"{n}","BT":false}}'
            return f'{{"topic":"{topic}","type":"snapshot","ts":{now},"data":[{row}]}}'
        update = self._updates[symbol] = self._updates.get(symbol, 1) + 1
        bids, asks = self._changes[n % len(self._changes)]
        kind = "snapshot" if update == 2 else "delta"
        data = f'{{"s":"{symbol}","b":[{bids}],"a":[{asks}],"u":{update},"seq":{update}}}'
        return f'{{"topic":"{topic}","type":"{kind}","ts":{now},"cts":{now},"data":{data}}}'


async def main(rate: float) -> None:
    """Serve until killed."""
    app = web.Application()
    app.router.add_get("/v5/public/linear", Feeder(rate).serve)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
