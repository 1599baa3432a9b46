from triptych.domain.errors import ExchangeError, RateLimited
from triptych.live.silence import Silence


class Hands:
    """A clock that stands where it is put."""

    def __init__(self):
        self.now_s = 100.0

    def __call__(self):
        return self.now_s


def waits(silence):
    return silence.wait_s(first_s=1.0, longest_s=30.0)


def test_the_wait_doubles_up_to_its_longest_and_begins_anew_after_an_answer():
    silence = Silence(now_s=Hands())
    found = []
    for _ in range(7):
        silence.goes_on(ExchangeError("no route"))
        found.append(waits(silence))
    assert found == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    silence.ends()
    silence.goes_on(ExchangeError("no route"))
    assert waits(silence) == 1.0


def test_a_ban_is_waited_out():
    clock = Hands()
    silence = Silence(now_s=clock)
    silence.goes_on(RateLimited("locked out", code=403, retry_after_ms=600_000))
    assert waits(silence) == 600.0
    clock.now_s += 590.0
    assert waits(silence) == 10.0
    clock.now_s += 20.0
    assert waits(silence) == 1.0


def test_only_the_first_failure_and_the_answer_are_worth_telling():
    clock = Hands()
    silence = Silence(now_s=clock)
    assert silence.ends() == ""
    assert silence.goes_on(ExchangeError("no route"))
    assert not silence.goes_on(ExchangeError("timed out"))
    assert silence.reason == "no route"
    clock.now_s += 2.5
    assert silence.ends() == "the venue answers again, after 2 attempts in 2.5 s"
    assert silence.ends() == ""
