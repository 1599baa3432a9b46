import asyncio

import pytest

from triptych.domain.errors import RecipeError
from triptych.live.control.client import SessionClient, SessionError, require_safe


def test_a_client_tells_a_session_that_is_not_there_and_hides_its_token():
    async def ask():
        async with SessionClient("http://127.0.0.1:9/", "a-secret-of-mine-123") as client:
            assert "a-secret" not in repr(client)
            await client.state()

    with pytest.raises(SessionError) as caught:
        asyncio.run(ask())
    assert str(caught.value) == (
        "The session at http://127.0.0.1:9 does not answer. See whether `triptych live --control` runs there."
    )


def test_a_token_does_not_travel_readable_over_a_network():
    require_safe("http://127.0.0.1:9100")
    require_safe("https://house.example")
    with pytest.raises(RecipeError) as caught:
        require_safe("http://house.example:9100")
    assert str(caught.value) == (
        "http://house.example:9100 would carry the token readable over a network. "
        "Use https, or a tunnel: ssh -L 9100:127.0.0.1:9100 HOST."
    )
    with pytest.raises(RecipeError, match="house:9100 is no address of a session"):
        require_safe("house:9100")
