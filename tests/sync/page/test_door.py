"""Nobody reads or changes anything without a session, and nothing changes without its token."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync.page import session as sessions
from sync.page.session import Sessions
from sync.receiver import SECRET_HEADER
from tests.sync.house import House
from tests.sync.page.made import PASSWORD, app_of, page_house, signed_in, token


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with page_house(tmp_path) as made:
        made.world.log.connect("1", "Support messages")
        yield made


def test_a_stranger_gets_the_sign_in_form_and_nothing_else(house: House) -> None:
    client = app_of(house).test_client()
    for path in ("/", "/live", "/settings", "/project/1", "/project/1/live", "/project/1/diff"):
        answer = client.get(path)
        assert answer.status_code == 401 and 'name="password"' in answer.text, path
        assert "Support messages" not in answer.text and not client.get_cookie("annotune_9091")
    assert client.get("/", headers={SECRET_HEADER: "s3cret"}).status_code == 401


@pytest.mark.parametrize(
    "given", ["", "wrong", PASSWORD[:-1], PASSWORD + " ", "pässword", "\ud800"]
)
def test_a_wrong_password_is_refused_and_noted(
    house: House, given: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = app_of(house).test_client()
    body = {"name": "Ada", "password": given.encode("utf-8", "surrogatepass")}
    answer = client.post("/login", data=body)
    assert answer.status_code == 401 and "That is not the password." in answer.text
    assert "a wrong password for the operators' page from 127.0.0.1" in caplog.text
    assert client.get("/").status_code == 401


def test_the_cookie_is_kept_from_scripts_and_other_sites(house: House) -> None:
    client = app_of(house).test_client()
    answer = client.post("/login", data={"name": "Ada", "password": PASSWORD, "next": "/settings"})
    assert (answer.status_code, answer.location) == (303, "/settings")
    said = answer.headers["Set-Cookie"]
    assert "HttpOnly" in said and "SameSite=Strict" in said and "Secure" not in said
    assert client.get("/").status_code == 200


def test_behind_https_the_cookie_goes_over_nothing_else(tmp_path: Path) -> None:
    with page_house(tmp_path, https=True) as house:
        form = {"name": "Ada", "password": PASSWORD}
        answer = app_of(house).test_client().post("/login", data=form)
    assert "Secure" in answer.headers["Set-Cookie"]


@pytest.mark.parametrize("name", ["", "  ", "annotune", "gate", "two\nlines", "x" * 121])
def test_whoever_signs_in_gives_a_name_of_their_own(house: House, name: str) -> None:
    client = app_of(house).test_client()
    answer = client.post("/login", data={"name": name, "password": PASSWORD})
    assert answer.status_code == 401 and "name" in answer.text
    assert client.get("/").status_code == 401


@pytest.mark.parametrize(
    "leads_to", ["//evil.example", "https://evil.example", "/\\evil", "/a//b", "/\t/evil", "/x?y=1"]
)
def test_signing_in_leads_to_no_other_place(house: House, leads_to: str) -> None:
    form = {"name": "Ada", "password": PASSWORD, "next": leads_to}
    assert app_of(house).test_client().post("/login", data=form).location == "/"


def test_a_change_without_the_token_of_its_session_is_refused(house: House) -> None:
    client, other = signed_in(house), signed_in(house)
    for csrf in ("", "x", token(other.get("/").text)):
        answer = client.post("/project/1/train", data={"csrf": csrf, "name": "Ada"})
        assert answer.status_code == 403 and "expired" in answer.text
        assert client.post("/logout", data={"csrf": csrf}).status_code == 403
    assert client.get("/project/1/train").status_code != 200
    assert house.world.store.project("1").asked() is None


def test_signing_out_ends_the_session_for_good(house: House) -> None:
    client = signed_in(house)
    kept = client.get_cookie("annotune_9091")
    assert kept is not None
    client.post("/logout", data={"csrf": token(client.get("/").text)})
    client.set_cookie("annotune_9091", kept.value)
    assert client.get("/").status_code == 401


def test_signing_in_anew_gives_another_session(house: House) -> None:
    client = signed_in(house)
    before = client.get_cookie("annotune_9091")
    client.post("/login", data={"name": "Ada", "password": PASSWORD})
    after = client.get_cookie("annotune_9091")
    assert before and after and before.value != after.value
    client.set_cookie("annotune_9091", before.value)
    assert client.get("/").status_code == 401


def test_without_a_password_the_page_is_closed(tmp_path: Path) -> None:
    with page_house(tmp_path, password="") as house:
        client = app_of(house).test_client()
        for given in ("", "x"):
            answer = client.post("/login", data={"name": "Ada", "password": given})
            assert answer.status_code == 401 and "ANNOTUNE_PAGE_PASSWORD" in answer.text
        assert client.get("/").status_code == 401


def test_an_open_page_answers_on_loopback_alone_and_wants_its_token(tmp_path: Path) -> None:
    with page_house(tmp_path, password="", open=True) as house:
        house.world.log.connect("1", "Support messages")
        client = app_of(house).test_client()
        assert client.get("/", headers={"Host": "evil.example:9091"}).status_code == 401
        assert client.post("/project/1/train", data={"name": "Ada"}).status_code == 401
        page = client.get("/")
        assert page.status_code == 200 and "Support messages" in page.text
        assert client.post("/project/1/train", data={"name": "Ada"}).status_code == 403


def test_every_answer_forbids_scripts_from_elsewhere_and_frames(house: House) -> None:
    client = signed_in(house)
    for path in ("/", "/login", "/project/1", "/static/page.css", "/project/9", "/live"):
        answer = client.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        if "static" not in path:
            assert answer.headers["Cache-Control"] == "no-store", path
            assert not re.search(r"<script(?![^>]* src=)|\son\w+=|\sstyle=", answer.text), path
        answer.close()


def test_sessions_end_when_nobody_uses_them_and_are_no_more_than_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    known = Sessions(idle_s=10, clock=lambda: now[0])
    cookie, made = known.open("Ada")
    now[0] = 9.0
    assert known.find(cookie) is made
    now[0] = 18.0
    assert known.find(cookie) is made, "looking keeps it"
    now[0] = 28.5
    assert known.find(cookie) is None
    monkeypatch.setattr(sessions, "MOST", 2)
    first, _ = known.open("a")
    now[0] += 1
    others = [known.open(name)[0] for name in "bc"]
    assert known.find(first) is None and all(map(known.find, others))
