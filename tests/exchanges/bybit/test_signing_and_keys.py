import os

import pytest

from triptych.domain.errors import RecipeError
from triptych.exchanges.bybit.credentials import Credentials, read_credentials
from triptych.exchanges.bybit.signing import login_arguments, request_headers, sign

KEY = Credentials(key="XXXXXXXXXX", secret="YYYYYYYYYY")


def test_a_request_is_signed_over_time_key_window_and_payload():
    """The number is HMAC-SHA256 of "1658384314791XXXXXXXXXX5000category=option&symbol=BTC-29JUL22-25000-C"."""
    payload = "category=option&symbol=BTC-29JUL22-25000-C"
    headers = request_headers(KEY, time_ms=1658384314791, window_ms=5000, payload=payload)
    assert headers == {
        "X-BAPI-API-KEY": "XXXXXXXXXX", "X-BAPI-TIMESTAMP": "1658384314791", "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": "37813c67fafb3017e92354eb88f218e7e52a98f9f5eb74cfcf0b21f17edb143b", "X-BAPI-SIGN-TYPE": "2",
    }  # fmt: skip


def test_the_login_of_a_stream():
    arguments = login_arguments(KEY, expires_ms=1662350400000)
    assert arguments[:2] == ["XXXXXXXXXX", 1662350400000]
    assert arguments[2] == sign(KEY, "GET/realtime1662350400000")
    assert len(arguments[2]) == 64


def test_an_rsa_key_signs_what_its_public_half_confirms():
    pytest.importorskip("cryptography")
    import base64

    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    signature = base64.b64decode(sign(Credentials(key="k", secret=pem), "text"))
    private.public_key().verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        private.public_key().verify(signature, b"another text", padding.PKCS1v15(), hashes.SHA256())


def test_a_broken_private_key_is_refused_without_being_quoted():
    pytest.importorskip("cryptography")
    with pytest.raises(RecipeError) as caught:
        sign(Credentials(key="k", secret="-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----"), "text")
    assert "hush" not in str(caught.value)
    assert caught.value.message == "The secret begins like a private key but is no unencrypted RSA key."


def test_neither_repr_nor_str_nor_errors_show_the_secret():
    one = Credentials(key="planted-key", secret="planted-secret")
    assert repr(one) == str(one) == f"{one}" == "Credentials(key='pla…')"
    assert one.mask("planted-key said planted-secret") == "pla… said ***"


def test_keys_come_from_variables_or_a_file_of_one_s_own(tmp_path):
    assert read_credentials({"BYBIT_API_KEY": "a ", "BYBIT_API_SECRET": "b"}).key == "a"
    path = tmp_path / "key.toml"
    path.write_text("key = 'a'\nsecret = 'b'\n")
    path.chmod(0o600)
    assert read_credentials({"BYBIT_KEY_FILE": str(path)}) == Credentials(key="a", secret="b")


@pytest.mark.skipif(os.name != "posix", reason="file permissions are those of POSIX")
def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "key.toml"
    path.write_text("key = 'a'\nsecret = 'b'\n")
    path.chmod(0o644)
    with pytest.raises(RecipeError) as caught:
        read_credentials({}, path)
    assert str(caught.value) == f"Others may read the key file {path}. Run: chmod 600 {path}"


def test_a_damaged_key_file_is_refused_without_being_quoted(tmp_path):
    path = tmp_path / "key.toml"
    path.write_text("secret = planted")
    path.chmod(0o600)
    with pytest.raises(RecipeError) as caught:
        read_credentials({}, path)
    assert caught.value.message == f"The key file {path} is no TOML file."
    assert "planted" not in str(caught.value)


def test_without_a_key_the_ways_to_give_one_are_named():
    with pytest.raises(RecipeError) as caught:
        read_credentials({})
    assert caught.value.message == "There is no API key for Bybit."
    assert "BYBIT_API_KEY" in caught.value.remedy
