import pytest

from triptych.domain.errors import RecipeError
from triptych.live.access import METRICS_VARIABLE, Access, bearer, generate_token, is_loopback, read_token

TOKEN = "sixteen-letters-or-more"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1", "[::1]", "LOCALHOST"])
def test_this_machine_is_known_by_its_names(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::", "example.org", "127.0.0.1.example.org", ""])
def test_everything_else_is_not_this_machine(host):
    assert not is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.7", "::"])
def test_an_address_that_others_can_reach_takes_a_token(host):
    with pytest.raises(RecipeError) as caught:
        Access(host=host, token=None)
    assert str(caught.value) == (
        f"{host} can be reached from other machines, and there is no token. Set TRIPTYCH_TOKEN to 16 characters or "
        "more, or TRIPTYCH_TOKEN_FILE to a file that holds it."
    )
    assert Access(host=host, token=TOKEN).knows(TOKEN)


def test_only_the_token_is_known_and_none_where_there_is_none():
    access = Access(host="127.0.0.1", token=TOKEN)
    assert [access.knows(one) for one in (TOKEN, TOKEN[:-1], TOKEN + " ", "", "ü" * 16)] == [True, *[False] * 4]
    assert not Access(host="127.0.0.1", token=None).knows("")
    assert TOKEN not in repr(access)


def test_on_the_loopback_only_its_own_names_are_answered():
    access = Access(host="127.0.0.1", token=None)
    assert [access.names_us(one) for one in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080")] == [True] * 3
    assert [access.names_us(one) for one in ("evil.example:8080", "127.0.0.1.evil.example", "")] == [False] * 3
    assert Access(host="0.0.0.0", token=TOKEN).names_us("house.example:8080")


def test_a_page_of_somebody_else_is_told_by_its_origin():
    assert Access.is_same_origin("", "127.0.0.1:8080")
    assert Access.is_same_origin("http://127.0.0.1:8080", "127.0.0.1:8080")
    assert not Access.is_same_origin("http://evil.example", "127.0.0.1:8080")
    assert not Access.is_same_origin("null", "127.0.0.1:8080")


def test_a_token_comes_from_the_environment_or_from_a_file_of_ones_own(tmp_path):
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    assert read_token({}) is None
    assert read_token({"TRIPTYCH_TOKEN": TOKEN}) == TOKEN
    assert read_token({"TRIPTYCH_TOKEN_FILE": str(path)}) == TOKEN
    assert read_token({"TRIPTYCH_TOKEN": TOKEN}, variable=METRICS_VARIABLE) is None
    assert read_token({"TRIPTYCH_METRICS_TOKEN_FILE": str(path)}, variable=METRICS_VARIABLE) == TOKEN
    path.chmod(0o644)
    with pytest.raises(RecipeError, match=f"Others may read the token file {path}. Run: chmod 600 {path}"):
        read_token({"TRIPTYCH_TOKEN_FILE": str(path)})
    with pytest.raises(RecipeError, match=f"The token file {tmp_path / 'none'} cannot be read."):
        read_token({"TRIPTYCH_TOKEN_FILE": str(tmp_path / "none")})


def test_a_short_token_is_refused_without_being_said():
    with pytest.raises(RecipeError, match="The token has fewer than 16 characters") as caught:
        read_token({"TRIPTYCH_TOKEN": "short-one"})
    assert "short-one" not in str(caught.value)


def test_generated_tokens_are_long_and_never_the_same():
    found = {generate_token() for _ in range(100)}
    assert len(found) == 100
    assert min(map(len, found)) == 24


def test_only_a_bearer_is_taken_from_the_header():
    assert [bearer(one) for one in ("Bearer abc", "bearer  abc ", "Basic abc", "abc", "")] == ["abc", "abc", "", "", ""]
