"""volunteerkit inside a Flask application that has an engine, users and a table of its own.

    python examples/embed_flask/app.py

serves http://127.0.0.1:5001/ over ``flask-data/city.db``. It needs Flask: ``pip install flask``. What matters
is marked (1) to (4): the engine is shared, one request is one transaction of the application's, the actor comes
from who logged in, and what the library refuses is told in the reader's language.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, g, jsonify, request, session

import volunteerkit
from volunteerkit import (
    Actor,
    Claim,
    Desk,
    Grant,
    KeyCipher,
    Kit,
    NotFound,
    NotPermitted,
    Refused,
    VolunteerkitError,
    hours,
    organizations,
    projects,
    volunteers,
)

tables = sa.MetaData()
diary = sa.Table(
    "diary", tables, sa.Column("record", sa.Integer, primary_key=True), sa.Column("mood", sa.String(20))
)
USERS = {"lan": (Grant("volunteer"),), "clerk-8": (Grant("centre"),)}  # an application has these in a table


def create_app(folder: Path = Path("flask-data")) -> Flask:
    """Return the application over the city in ``folder``, which is made if it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kit = Kit.load("xinyu", cipher=KeyCipher.from_file(folder / "city.key", create=True))
    engine = volunteerkit.create_engine(f"sqlite:///{folder / 'city.db'}")  # (1)
    kit.migrate(engine)
    with engine.begin() as connection:
        if not sa.inspect(connection).has_table("diary"):
            make_city(kit.desk(connection, Actor.of("clerk-7", "centre")))
        tables.create_all(connection)
    app = Flask(__name__)
    app.extensions["volunteerkit"] = engine
    app.secret_key = (folder / "city.key").read_bytes()[::-1]  # an application has a key of its own for this

    @app.before_request
    def begin() -> None:
        g.connection = engine.connect()  # (2)
        g.transaction = g.connection.begin()

    @app.after_request
    def commit(response: Any) -> Any:
        if response.status_code < 400:
            g.transaction.commit()
        return response

    @app.teardown_request
    def close(_: BaseException | None) -> None:
        if "connection" in g:
            g.connection.close()  # what was not committed is taken back

    def desk() -> Desk:
        login = session.get("login") or abort(401)
        number = "V0000001" if login == "lan" else None
        return kit.desk(g.connection, Actor(login, USERS[login], volunteer=number))  # (3)

    @app.errorhandler(VolunteerkitError)
    def refused(error: VolunteerkitError) -> Any:  # (4)
        language = "en" if request.accept_languages.best_match(["zh", "en"]) == "en" else "zh-CN"
        told = error.findings if isinstance(error, Refused) else (error,)
        status = {NotFound: 404, NotPermitted: 403}.get(type(error), 422)
        return jsonify([each.message(language) for each in told]), status

    @app.post("/login/<login>")
    def log_in(login: str) -> Any:  # an application asks for a password
        if login not in USERS:
            abort(401)
        session["login"] = login
        return jsonify(login)

    @app.post("/hours")
    def claim() -> Any:
        on, minutes = dt.date.fromisoformat(request.form["on"]), int(request.form["minutes"])
        given = desk()
        made = hours.record(given, Claim(given.actor.volunteer or "", "P0001", on, minutes)).record_id
        g.connection.execute(sa.insert(diary).values(record=made, mood=request.form["mood"][:20]))
        return jsonify(made)

    @app.post("/hours/<int:record>/confirm")
    def confirm(record: int) -> Any:
        hours.confirm(desk(), record)
        return jsonify(record)

    @app.get("/hours")
    def statement() -> Any:
        given = desk()
        found = hours.statement(given, given.actor.volunteer or "")
        moods = dict(g.connection.execute(sa.select(diary.c.record, diary.c.mood)).all())
        return jsonify(
            [(str(each.served_on), each.credited_minutes, moods[each.record_id]) for each in found.lines]
        )

    return app


def make_city(desk: Desk) -> None:
    """Make an organization, a project and a volunteer, all made up."""
    organizations.register(desk, "O0001", name="渝水区志愿服务联合会")
    projects.register(desk, "P0001", name="无偿献血宣传", organization="O0001")
    volunteers.admit(desk, name="周兰", number="V0000001", organization="O0001")


if __name__ == "__main__":
    create_app().run(port=5001)
