"""The twins over HTTP and the door before them, in-process, without a server."""

import json

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from triptych.dashboard.api import create_api
from triptych.dashboard.doorman import ATTEMPTS
from triptych.live.control import Access, SessionError

TOKEN = "sixteen-letters-or-more"
SIGNED = {"Authorization": f"Bearer {TOKEN}"}
TWINS = ("overview", "decisions", "orders", "health", "journal", "runs")


def client(room, *, host="127.0.0.1", token=TOKEN, base="http://127.0.0.1:8080"):
    return TestClient(create_api(room, Access(host=host, token=token)), base_url=base, follow_redirects=False)


def far(room):
    """Seen from another machine."""
    return client(room, host="0.0.0.0", base="http://house.example:8080")


@pytest.mark.parametrize("name", TWINS)
def test_every_page_has_a_twin_that_nobody_stores(room, name):
    answer = client(room).get(f"/api/{name}")
    assert answer.status_code == 200
    assert answer.json()["instance"]["name"] == "house"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-frame-options"] == "DENY"


def test_twins_take_the_filters_of_their_pages(room):
    found = client(room)
    assert len(found.get("/api/decisions?acted=true&limit=1").json()["decisions"]) == 1
    assert found.get("/api/orders?phase=unknown").json()["orders"] == []
    assert found.get("/api/decisions?limit=0").status_code == 422


@pytest.mark.parametrize("name", TWINS)
def test_from_another_machine_nothing_is_told_without_the_token(room, name):
    answer = far(room).get(f"/api/{name}")
    assert (answer.status_code, answer.json()) == (
        401, {"error": "Sign in, or send the token as Authorization: Bearer."},
    )  # fmt: skip
    assert far(room).get(f"/api/{name}", headers=SIGNED).status_code == 200
    assert far(room).get(f"/api/{name}", headers={"Authorization": "Bearer wrong"}).status_code == 401


def test_a_browser_signs_in_once_and_gets_a_cookie_that_scripts_cannot_read(room):
    browser = far(room)
    sent_away = browser.get("/orders")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/sign-in?to=/orders")
    assert "<form" in browser.get("/sign-in?to=/orders").text
    answer = browser.post("/sign-in?to=/orders", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/orders")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert browser.get("/api/overview").status_code == 200
    assert far(room).get("/api/overview", headers={"Cookie": "triptych_session=guessed"}).status_code == 401


def test_a_wrong_token_is_told_and_many_are_made_to_wait(room):
    browser = far(room)
    for _ in range(ATTEMPTS):
        answer = browser.post("/sign-in", data={"token": "wrong"})
        assert (answer.status_code, "This is not the token." in answer.text) == (401, True)
    answer = browser.post("/sign-in", data={"token": "wrong"})
    assert (answer.status_code, "Too many wrong tokens. Wait a minute." in answer.text) == (429, True)


def test_the_guesses_of_a_stranger_do_not_keep_the_owner_out(room):
    browser = far(room)
    for _ in range(ATTEMPTS + 3):
        browser.post("/sign-in", data={"token": "wrong"})
    assert browser.post("/sign-in", data={"token": TOKEN}).status_code == 303
    assert browser.get("/api/overview").status_code == 200


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(room, target):
    answer = far(room).post("/sign-in", params={"to": target}, data={"token": TOKEN})
    assert answer.headers["location"] == "/"


def test_on_the_loopback_a_name_that_points_here_is_not_answered(room):
    answer = client(room, base="http://evil.example:8080").get("/api/overview")
    assert (answer.status_code, answer.json()) == (421, {"error": "This is not the host that was asked for."})


def test_a_page_of_somebody_else_turns_no_switch(room):
    answer = client(room).post("/api/switch", json={}, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


def test_a_websocket_passes_the_same_door(room):
    with pytest.raises(WebSocketDisconnect) as caught, far(room).websocket_connect("/_nicegui_ws/socket.io"):
        raise AssertionError("it was let in")
    assert (caught.value.code, caught.value.reason) == (1008, "Sign in, or send the token as Authorization: Bearer.")


def test_without_a_session_nothing_can_be_switched(room):
    answer = client(room).post("/api/switch", json={"switch": "killed", "confirm": "house", "token": TOKEN})
    assert (answer.status_code, answer.json()) == (
        409, {"error": "No session is followed, so nothing can be switched."},
    )  # fmt: skip
    assert client(room).post("/api/switch", content=b"{").status_code == 400


class Session:
    """Stands where a session stands, and remembers what it was asked."""

    def __init__(self):
        self.asked = []

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def state(self):
        raise SessionError("not asked in this test")

    async def turn(self, switch, **said):
        self.asked.append((switch, said))
        return {"switch": switch, "orders": ["o1"]}


@pytest.mark.parametrize(("headers", "token"), [({}, "typed"), (SIGNED, None)])
def test_the_switch_hands_on_the_token_that_was_typed_unless_the_browser_is_signed_in(room, headers, token):
    room.desk.session = session = Session()
    said = {"switch": "killed", "confirm": "house", "reason": "storm", "token": "typed"}
    answer = client(room).post("/api/switch", json=said, headers=headers)
    assert (answer.status_code, answer.json()["orders"]) == (200, ["o1"])
    assert session.asked == [("killed", {"confirm": "house", "reason": "storm", "token": token})]


def test_reports_of_listed_runs_are_served_and_nothing_else(room):
    found = client(room)
    assert found.get("/reports/old").text == "<h1>report</h1>"
    for name in ("new", "../secret", "..%2Fsecret.html", "old/../../secret.html", "/etc/passwd"):
        assert found.get(f"/reports/{name}").status_code == 404


def test_a_picture_that_is_not_there_is_told(room):
    found = client(room)
    assert found.get("/api/decisions/1/BTCUSDT/eye.png").status_code == 404
    assert found.get("/api/decisions/99/BTCUSDT/eye.png").status_code == 404


def test_no_answer_holds_the_token(room):
    found = client(room)
    texts = [found.get(f"/api/{name}").text for name in TWINS] + [found.get("/sign-in").text]
    assert TOKEN not in json.dumps(texts)
