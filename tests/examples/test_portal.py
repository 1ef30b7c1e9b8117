"""The reference portal, from the first visit to a star with its reasons, as people use it."""

from __future__ import annotations

import datetime as dt
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

NINE = dt.datetime(2026, 11, 28, 1, tzinfo=dt.UTC)
FORM = {
    "name": "周小兰",
    "organization": "O0001",
    "identity_number": "",
    "phone": "12900000001",
    "born_on": "1990-05-01",
    "agreed": "on",
}
PROJECT = {
    "name": "社区敬老",
    "organization": "O0001",
    "on": "2026-11-28",
    "starts": "09:00",
    "ends": "11:00",
    "places": "1",
    "place": "暖阳社区",
    "content": "陪老人聊天",
    "conditions": "年满十八周岁",
    "risks": "路滑",
    "protection": "两人一组",
}


class Town:
    """The portal at a moment of one's choice, and people at their browsers."""

    def __init__(self, portal: ModuleType, folder: Path) -> None:
        self.now = dt.datetime(2026, 11, 23, 1, tzinfo=dt.UTC)
        self.app = portal.create_app(folder, clock=lambda: self.now)

    def log_in(self, login: str, **more: str) -> Any:
        browser = self.app.test_client()
        entered = browser.post("/login", data={"login": login, "password": "change-me", **more})
        assert entered.status_code == 303
        return browser

    def sign_up(self, login: str, **changed: str) -> Any:
        browser = self.log_in(login, new="1")
        assert browser.post("/register", data={**FORM, **changed}).status_code == 303
        return browser


@pytest.fixture
def town(load_example: Callable[[str, str], ModuleType], tmp_path: Path) -> Iterator[Town]:
    made = Town(load_example("portal", "flask"), tmp_path / "city")
    yield made
    made.app.config["ENGINE"].dispose()


def published(town: Town) -> tuple[Any, Any]:
    """Apply for a project, approve and publish it; return the leader's and the clerk's browsers."""
    leader, clerk = town.log_in("leader-1"), town.log_in("clerk-1")
    applied = leader.post("/projects/new", data=PROJECT)
    assert "社区敬老" in clerk.get("/cases").text
    case = decision(clerk)
    assert leader.post(f"{applied.location}/publish").status_code == 422  # nobody has approved it
    assert clerk.post(case, data={"approve": "1", "reason": ""}).status_code == 303
    assert leader.post(f"{applied.location}/publish").status_code == 303
    return leader, clerk


def decision(clerk: Any) -> str:
    """Return where the last case of a list is decided."""
    return re.findall(r'action="(/cases/\d+)"', clerk.get("/cases").text)[-1]


def code(leader: Any, purpose: str) -> str:
    return re.findall("<output>(.+)</output>", leader.get(f"/shifts/1/screen/{purpose}").text)[0]


def told(answer: Any) -> list[str]:
    assert answer.status_code >= 400
    return re.findall("<li>(.+?)</li>", answer.text)


def test_from_registration_to_a_star_with_its_reasons(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    lan, clerk = town.sign_up("orchid"), town.log_in("clerk-2")
    assert "周小兰" in clerk.get("/cases").text
    assert clerk.post(decision(clerk), data={"approve": "1", "reason": ""}).status_code == 303
    leader, _ = published(town)

    assert "社区敬老" in lan.get("/").text
    assert lan.post("/shifts/1/join").status_code == 303
    assert "已接受" in lan.get("/me").text
    assert told(lan.post("/shifts/1/join")) == ["已经报名班次 1，当前状态为“已接受”，无需再报。"]

    town.now = NINE
    assert lan.post("/check", data={"code": code(leader, "in")}).status_code == 303
    town.now = NINE + dt.timedelta(hours=2)
    assert lan.post("/check", data={"code": code(leader, "out")}).status_code == 303
    assert leader.post("/shifts/1/claim").status_code == 303
    assert (
        '<form method="post" action="/records/' not in leader.get("/cases").text
    )  # nobody confirms what they made
    assert clerk.post("/records/1/confirm", data={"reason": ""}).status_code == 303

    mine = lan.get("/me", headers={"Accept-Language": "en"}).text
    assert "Credited minutes in all: <strong>120</strong>" in mine
    assert "still short by 98 h" in mine
    assert "还差 98 小时" in lan.get("/me").text
    for word in ("周小兰", "12900000001", "1990-05-01", "change-me"):
        assert word not in caplog.text


def test_what_is_wrong_is_told_in_the_language_of_the_reader(town: Town) -> None:
    ming = town.log_in("bright", new="1")
    wrong = {**FORM, "name": "李明", "phone": "手机"}
    zh = told(ming.post("/register", data=wrong))
    en = told(ming.post("/register", data=wrong, headers={"Accept-Language": "en-GB"}))
    assert len(zh) == len(en) == 1
    assert "电话" in zh[0]
    assert "phone" in en[0]
    assert ming.get("/me").status_code == 403  # the account is nobody's yet
    assert told(ming.post("/register", data={**wrong, "phone": "", "born_on": "昨天"}))
    ming.post("/language/en")
    assert told(ming.post("/register", data=wrong)) == en


def test_nobody_sees_or_does_what_is_not_theirs(town: Town) -> None:
    lan = town.sign_up("orchid")
    leader, clerk = published(town)
    for other in (town.app.test_client(), lan):
        assert other.get("/shifts/1/screen/in").status_code in (403, 404)
        assert other.post("/cases/1", data={"approve": "1", "reason": ""}).status_code in (403, 404)
        assert other.post("/shifts/1/claim").status_code in (403, 404)
        assert "周小兰" not in other.get("/cases").text
    assert clerk.post("/shifts/1/join").status_code == 403  # a clerk is no volunteer
    assert leader.get("/projects/P9999999").status_code == 404
    forged = lan.post("/shifts/1/join", headers={"Sec-Fetch-Site": "cross-site"})
    assert forged.status_code == 403


def test_an_account_needs_its_password_and_a_login_of_its_own(town: Town) -> None:
    browser = town.app.test_client()
    for given in (
        {"login": "clerk-1", "password": "wrong-one"},
        {"login": "nobody", "password": "change-me"},
    ):
        assert browser.post("/login", data=given).status_code == 401
    taken = browser.post("/login", data={"login": "clerk-1", "password": "change-me", "new": "1"})
    short = browser.post("/login", data={"login": "fresh", "password": "short", "new": "1"})
    assert taken.status_code == short.status_code == 422
    assert "退出" not in browser.get("/").text


def test_the_account_stays_nobodys_when_the_registration_is_refused(town: Town) -> None:
    browser = town.log_in("orchid", new="1")
    assert browser.post("/register", data={**FORM, "organization": "O9"}).status_code == 422
    assert browser.get("/me").status_code == 403
    assert browser.post("/register", data=FORM).status_code == 303
    assert browser.get("/me").status_code == 200


def test_who_restarts_the_portal_finds_the_city_and_the_sessions_again(
    town: Town, load_example: Callable[[str, str], ModuleType], tmp_path: Path
) -> None:
    lan = town.sign_up("orchid")
    again = Town(load_example("portal", "flask"), tmp_path / "city")
    cookie = lan.get_cookie("session")
    browser = again.app.test_client()
    browser.set_cookie("session", cookie.value)
    assert "周小兰" in browser.get("/me").text
    assert (tmp_path / "city" / "session.key").stat().st_mode & 0o077 == 0
    again.app.config["ENGINE"].dispose()
