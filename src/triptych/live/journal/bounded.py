"""PostgreSQL within bounds: no question of the journal is waited for longer than a few seconds.

A server that has stopped (a frozen machine, a storage that hangs) keeps its connections and says nothing: its own
limits do not run then, and the network sees nothing wrong. So the wait itself is bounded here, on our side; the
connection is given up with it. What was asked may still be carried out: as after a connection that broke, whoever asks
again finds what is there. For a while after that nothing is asked at all and every call fails at once, so that a
session which calls from its event loop is not held up at every step; then one call tries again.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

if TYPE_CHECKING:
    import psycopg

REST_S: Final = 5.0
"""How long nothing is asked after a question that got no answer."""
CONNECT_S: Final = 2
"""Within which a connection must stand; psycopg takes no less."""
T = TypeVar("T")


@dataclass(slots=True)
class Silence:
    """Since when the server does not answer; `until_s` of the monotonic clock, before which nothing is asked."""

    until_s: float = float("-inf")

    def begins(self) -> None:
        """It did not answer just now."""
        self.until_s = time.monotonic() + REST_S


def options() -> dict[str, Any]:
    """Of a connection: a peer that is gone is noticed by the network within seconds."""
    return {
        "connect_timeout": CONNECT_S, "keepalives": 1, "keepalives_idle": 5, "keepalives_interval": 1,
        "keepalives_count": 3, "tcp_user_timeout": 3_000,
    }  # fmt: skip


def bound(engine: sa.Engine, answer_s: float, *, is_writer: bool = True) -> None:
    """Let every connection of an engine on psycopg wait for `answer_s` seconds at most.

    A writer's limits hold at the server as well; a reader may take its time between two rows.
    """
    silence = Silence()
    kind: list[type[psycopg.Connection[Any]]] = []

    def connect(_dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> Any:
        import psycopg

        if time.monotonic() < silence.until_s:
            raise psycopg.OperationalError("the server did not answer a moment ago, and is not asked for a few seconds")
        if not kind:
            kind.append(_bounded_connection(silence, answer_s))
        try:
            return kind[0].connect(*arguments, **options)
        except psycopg.OperationalError:
            silence.begins()
            raise

    def limit(connection: psycopg.Connection[Any], _record: Any) -> None:
        milliseconds = int(answer_s * 1000)
        with connection.cursor() as cursor:
            for name, value in (
                ("statement_timeout", milliseconds),
                ("lock_timeout", milliseconds),
                ("idle_in_transaction_session_timeout", 3 * milliseconds),  # a frozen writer locks nobody out
            ):
                cursor.execute("SELECT set_config(%s, %s, false)", (name, str(value)))
        connection.commit()

    sa.event.listen(engine, "do_connect", connect)
    if is_writer:
        sa.event.listen(engine, "connect", limit)


def _bounded_connection(silence: Silence, answer_s: float) -> type[psycopg.Connection[Any]]:
    import psycopg

    class Bounded(psycopg.Connection[Any]):
        """Waits for an answer as long as it may, then gives itself up."""

        def wait(self, gen: Generator[Any, Any, T], *arguments: Any, **options: Any) -> T:
            return super().wait(self._in_time(gen), *arguments, **options)

        def _in_time(self, gen: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
            until_s, ready = time.monotonic() + answer_s, None
            while True:
                try:
                    wanted = gen.send(ready)
                except StopIteration as end:
                    return end.value  # type: ignore[no-any-return]
                ready = yield wanted
                if not ready and time.monotonic() > until_s:
                    gen.close()
                    silence.begins()
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server did not answer within {answer_s:g} s")

    return Bounded
