"""The embeddings: the host's rows and the library's succeed or fail together, for who logged in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

Load = Callable[[str, str], ModuleType]


@pytest.fixture
def flask_app(load_example: Load, tmp_path: Path) -> Iterator[Any]:
    app = load_example("embed_flask", "flask").create_app(tmp_path / "city")
    yield app
    app.extensions["volunteerkit"].dispose()


def test_flask_keeps_its_row_only_with_the_hours(flask_app: Any) -> None:
    lan, clerk = flask_app.test_client(), flask_app.test_client()
    assert lan.post("/hours", data={"on": "2026-11-08", "minutes": "150", "mood": "好"}).status_code == 401
    assert lan.post("/login/lan").status_code == clerk.post("/login/clerk-8").status_code == 200
    assert lan.post("/hours", data={"on": "2026-11-08", "minutes": "150", "mood": "好"}).json == 1
    late = {"on": "2999-11-08", "minutes": "150", "mood": "糟"}
    refused = lan.post("/hours", data=late)
    assert (refused.status_code, len(refused.json)) == (422, 1)
    assert refused.json[0].startswith("服务日期 2999-11-08")
    told = lan.post("/hours", data=late, headers={"Accept-Language": "en"}).json[0]
    assert told.startswith("The service day 2999-11-08")
    assert lan.post("/hours/1/confirm").status_code == 403
    assert clerk.post("/hours/9/confirm").status_code == 404
    assert clerk.post("/hours/1/confirm").status_code == 200
    assert lan.get("/hours").json == [["2026-11-08", 150, "好"]]


@pytest.fixture(scope="session")
def django_app(load_example: Load, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Django has one configuration a process."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CITY", str(tmp_path_factory.mktemp("django") / "city"))
        app = load_example("embed_django", "django")
    app.make_city()
    app.make_city()  # a second start finds it there
    yield app
    app.connection.close()


def test_django_holds_both_in_its_own_transaction(django_app: ModuleType) -> None:
    from django.test import Client

    lan, clerk = Client(), Client()
    assert lan.get("/hours").status_code == 403
    for browser, login in ((lan, "lan"), (clerk, "clerk-8")):
        assert browser.post("/login", {"login": login, "password": "wrong-one"}).status_code == 401
        assert browser.post("/login", {"login": login, "password": "change-me"}).status_code == 200
    assert lan.post("/hours", {"on": "2026-11-08", "minutes": 150}).status_code == 200
    refused = lan.post("/hours", {"on": "2999-11-08", "minutes": 150})
    assert refused.status_code == 422
    assert refused.json()[0].startswith("服务日期 2999-11-08")
    told = lan.post("/hours", {"on": "2999-11-08", "minutes": 150}, headers={"Accept-Language": "en"})
    assert told.json()[0].startswith("The service day 2999-11-08")
    assert django_app.Member.objects.get().claims == 1  # Django's row went with what was refused
    assert lan.post("/hours/1/confirm").status_code == 403
    assert clerk.post("/hours/9/confirm").status_code == 404
    assert clerk.post("/hours/1/confirm").status_code == 200
    assert lan.get("/hours").json() == [["2026-11-08", 150]]


@pytest.mark.parametrize("name", ["portal", "embed_flask", "embed_django"])
def test_an_example_stays_small(name: str) -> None:
    folder = Path(__file__).resolve().parents[2] / "examples" / name
    files = [path for path in folder.rglob("*") if path.suffix in (".py", ".html")]
    lines = sum(len(path.read_text("utf-8").splitlines()) for path in files)
    assert lines < {"portal": 600}.get(name, 150)
