"""Only the right credentials come in, in whatever encoding a client writes them."""

import base64

import pytest

from ml_backend.app import create_app
from ml_backend.auth import BasicAuth
from settings import Backend
from tests.ml_backend.fakes import FirstLabelLive, ListedJobs, said


def header(credentials: bytes, scheme: str = "Basic") -> str:
    return f"{scheme} {base64.b64encode(credentials).decode()}"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_latin1_and_utf8_passwords_are_accepted(encoding: str) -> None:
    assert BasicAuth("üser", "pässword").allows(header("üser:pässword".encode(encoding)))


def test_a_password_beyond_latin1_is_accepted_in_utf8_only() -> None:
    auth = BasicAuth("annotune", "пароль")
    assert auth.allows(header("annotune:пароль".encode()))
    assert not auth.allows(header(b"annotune:??????"))


def test_the_scheme_is_read_in_any_case() -> None:
    assert BasicAuth("u", "pw").allows(header(b"u:pw", "bAsIc"))


@pytest.mark.parametrize(
    "came",
    [
        None,
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        "Bearer abc",
        header(b"u:pw", "Bearer"),
        header(b""),
        header(b"u"),
        header(b"u:"),
        header(b"u:PW"),
        header(b"u:pw "),
        header(b"\xff\xfe:pw"),
        header(b"u:pw") + "A",
    ],
)
def test_anything_else_stays_outside(came: str | None) -> None:
    assert not BasicAuth("u", "pw").allows(came)


def test_without_a_password_everybody_comes_in() -> None:
    assert BasicAuth("u", "").allows(None)


def test_the_password_is_not_in_the_repr() -> None:
    assert "pw" not in repr(BasicAuth("u", "pw"))


def test_only_the_root_is_open(live: FirstLabelLive, jobs: ListedJobs) -> None:
    client = create_app(Backend(user="u", password="pw"), live, jobs, list).test_client()
    answers = {path: client.get(path).status_code for path in ("/", "/health", "/versions", "/x")}
    assert answers == {"/": 200, "/health": 401, "/versions": 401, "/x": 401}
    posts = [client.post(path, json={}).status_code for path in ("/setup", "/predict", "/webhook")]
    assert posts == [401, 401, 401]
    assert said(client.get("/health", auth=("u", "pw")))["status"] == "UP"
