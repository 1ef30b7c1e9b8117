"""The reference portal: a small web application over the library, with people who log in.

    python examples/portal/app.py

makes a city in the folder ``portal-data`` and serves it at http://127.0.0.1:5000/. It needs Flask:
``pip install flask``. clerk-1 and clerk-2 of the centre and leader-1 of the organization O0001 log in with the
password ``change-me``; citizens make an account of their own.

The portal's users stand in the same database, and change in the same transaction as what the library writes.
An account has a login, a role and perhaps a volunteer's number: all personal data are the library's, sealed.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from flask import Flask, abort, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Desk,
    Grant,
    KeyCipher,
    Kit,
    NotFound,
    NotPermitted,
    Refused,
    VolunteerkitError,
    approvals,
    hours,
    messages,
    organizations,
    personal,
    projects,
    rating,
    volunteers,
)
from volunteerkit.clock import Clock, system_clock
from volunteerkit.errors import AlreadyResolved, InvalidValue
from volunteerkit.projects import ProjectForm, ShiftForm, attendance, codes, recruiting
from volunteerkit.volunteers import Acknowledgement

DATA = Path("portal-data")
DEMO = {"clerk-1": "centre", "clerk-2": "centre", "leader-1": "organization_admin"}
STATEMENTS = ("place", "content", "conditions", "risks", "protection")
STATUS = {Refused: 422, InvalidValue: 422, NotPermitted: 403, NotFound: 404, AlreadyResolved: 409}
NOBODY = generate_password_hash(secrets.token_hex())  # so that an unknown login takes as long as a known one

tables = sa.MetaData()
users = sa.Table(
    "portal_user",
    tables,
    sa.Column("login", sa.String(40), primary_key=True),
    sa.Column("password", sa.String(300), nullable=False),
    sa.Column("role", sa.String(40), nullable=False),
    sa.Column("organization", sa.String(100)),
    sa.Column("volunteer", sa.String(100)),
)


def create_app(folder: Path = DATA, clock: Clock = system_clock) -> Flask:
    """Return the application over the city in ``folder``, which is made if it is not there."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kit = Kit.load("xinyu", cipher=KeyCipher.from_file(folder / "city.key", create=True), clock=clock)
    engine = volunteerkit.create_engine(f"sqlite:///{folder / 'city.db'}")
    kit.migrate(engine)
    with engine.begin() as connection:
        tables.create_all(connection)
        if connection.execute(sa.select(sa.func.count()).select_from(users)).scalar_one() == 0:
            organizations.register(
                kit.desk(connection, Actor.of("clerk-1", "centre")), "O0001", name="渝水区志愿服务联合会"
            )
            for login, role in DEMO.items():
                place = "O0001" if role == "organization_admin" else None
                add_user(connection, login, "change-me", role, place)
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY=session_key(folder / "session.key"), SESSION_COOKIE_SAMESITE="Lax", KIT=kit, ENGINE=engine
    )
    app.before_request(who_and_how)
    app.register_error_handler(VolunteerkitError, problem)
    app.jinja_env.globals.update(
        t=lambda zh, en: zh if g.language == "zh-CN" else en,
        say=lambda each: each.message(g.language),
        word=lambda area, code: messages.text(f"word_{area}_{code}", g.language),
        clock=lambda instant: instant.astimezone(kit.zone).strftime("%Y-%m-%d %H:%M"),
        STATEMENTS=STATEMENTS,
    )
    for rule, view in PAGES:
        app.add_url_rule(rule, view_func=view, methods=["GET"])
    for rule, view in ACTIONS:
        app.add_url_rule(rule, view_func=view, methods=["POST"])
    return app


def session_key(path: Path) -> bytes:
    """Return the key that signs sessions, made at the first start, readable by the portal alone."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
    return path.read_bytes()


def add_user(
    connection: sa.Connection, login: str, password: str, role: str, organization: str | None = None
) -> None:
    """Add an account; the password is kept as a salted hash."""
    values = {"password": generate_password_hash(password), "role": role, "organization": organization}
    connection.execute(sa.insert(users).values(login=login, **values))


# Who is asking, and how they are answered


def who_and_how() -> None:
    """Find the actor and the language of a request; refuse a form that another site's page sent."""
    if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        abort(403)
    best = request.accept_languages.best_match(["zh-CN", "zh", "en"]) or "zh-CN"
    g.language = session.get("language") or ("en" if best == "en" else "zh-CN")
    g.actor, g.role = Actor.of("visitor", "public"), "public"
    if login := session.get("login"):
        with config("ENGINE").connect() as connection:
            found = connection.execute(sa.select(users).where(users.c.login == login)).first()
        if found:
            g.actor, g.role = actor_of(found), found.role


def actor_of(user: Any) -> Actor:
    """Return the actor for a row of `users`: the library looks at its grants, and at whose account it is."""
    return Actor(f"user:{user.login}", (Grant(user.role, user.organization),), volunteer=user.volunteer)


def config(name: str) -> Any:
    """Return the kit or the engine of the running application."""
    from flask import current_app

    return current_app.config[name]


@contextmanager
def desk(*, read_only: bool = False) -> Iterator[Desk]:
    """Open a transaction for who is logged in: one request is one transaction."""
    with config("KIT").open(config("ENGINE"), g.actor, read_only=read_only) as opened:
        yield opened


def problem(error: VolunteerkitError) -> tuple[str, int]:
    """Show what is wrong in the reader's language, and how to mend it."""
    told = [each for each in getattr(error, "findings", ()) if each.severity != "warn"] or [error]
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 503)
    return render_template("problem.html", told=told), status


def go(page: str, **where: Any) -> Response:
    """Show another page after something was done."""
    return redirect(url_for(page, **where), 303)


def own(opened: Desk) -> str:
    """Return the number of the volunteer who is logged in."""
    return opened.actor.volunteer or abort(403)


# Pages


def home() -> str:
    """Show the projects that one can join, to an organization's administrator the others too."""
    with desk(read_only=True) as opened:
        found = projects.list_projects(opened, status="published", since=opened.today)
        own = projects.list_applications(opened) if g.role == "organization_admin" else ()
    return render_template("home.html", found=found, own=own)


def login() -> str:
    """Show the form for logging in or making an account."""
    return render_template("login.html")


def registration() -> str:
    """Show the form for becoming a volunteer."""
    with desk(read_only=True) as opened:
        return render_template("register.html", organizations=organizations.list_organizations(opened))


def project(number: str) -> str:
    """Show a project with its shifts."""
    look = projects.view_application if g.role in ("organization_admin", "centre") else projects.view
    with desk(read_only=True) as opened:
        return render_template("project.html", it=look(opened, number))


def application() -> str:
    """Show the form for applying for a project."""
    return render_template("apply.html", organization=g.actor.grants[0].scope)


def cases() -> str:
    """Show what waits for a decision of who is logged in, and whom or what it is about."""
    with desk(read_only=True) as opened:
        waiting = [(case, about(opened, case)) for case in approvals.pending(opened)]
        records = hours.list_pending(opened)
    return render_template("cases.html", waiting=waiting, records=records)


def about(opened: Desk, case: approvals.Case) -> str:
    """Return whom or what a case is about, as the reader may see it."""
    if case.place.volunteer:
        return str(personal.profile(opened, case.place.volunteer).fields["name"])
    number = case.facts.get("project")
    return projects.view_application(opened, number).name if number else ""


def screen(shift: int, purpose: str) -> str:
    """Show the leader's screen: the code to be scanned or typed in now."""
    with desk(read_only=True) as opened:
        code = codes.shift_code(opened, shift, purpose)
    return render_template("screen.html", code=code, shift=shift, purpose=purpose)


def me() -> str:
    """Show a volunteer their shifts, their statement, and their star with its reasons."""
    with desk(read_only=True) as opened:
        number = own(opened)
        return render_template(
            "me.html",
            name=personal.profile(opened, number).fields["name"],
            shifts=recruiting.commitments(opened, number),
            statement=hours.statement(opened, number),
            star=rating.rate_volunteer(opened, number).assessment.explain(g.language),
        )


# What is done


def speak(language: str) -> Response:
    """Change the language of the pages."""
    session["language"] = "en" if language == "en" else "zh-CN"
    return go("home")


def log_in() -> Any:
    """Log in, or make an account first."""
    name, password = request.form["login"].strip()[:40], request.form["password"]
    with config("ENGINE").begin() as connection:
        found = connection.execute(sa.select(users).where(users.c.login == name)).first()
        if "new" in request.form:
            if found or not name or len(password) < 8:
                return render_template("login.html", refused="new"), 422
            add_user(connection, name, password, "public")
        elif not check_password_hash(found.password if found else NOBODY, password) or not found:
            return render_template("login.html", refused="old"), 401
    session.clear()
    session["login"] = name
    return go("home")


def log_out() -> Response:
    """Log out."""
    session.clear()
    return go("home")


def register() -> Response:
    """Register who is logged in; their account becomes the volunteer's in the same transaction."""
    form = request.form
    today = config("KIT").clock().astimezone(config("KIT").zone).date()
    agreed = (Acknowledgement("rights_and_duties", "2026", today),) if "agreed" in form else ()
    given = Application(
        form["name"],
        form["organization"],
        identity_number=form["identity_number"] or None,
        phone=form["phone"] or None,
        born_on=day("born_on") if form["born_on"] else None,
        by_oneself=True,
        acknowledged=agreed,
    )
    login = session.get("login") or abort(403)
    with config("ENGINE").begin() as connection:
        number = volunteers.register(config("KIT").desk(connection, g.actor), given)
        values = {"role": "volunteer", "volunteer": number}
        connection.execute(sa.update(users).where(users.c.login == login).values(values))
    return go("me")


def day(name: str) -> dt.date:
    """Return the day in a field of the form."""
    try:
        return dt.date.fromisoformat(request.form[name])
    except ValueError:
        raise InvalidValue(name=name, value="?", allowed="2026-11-25") from None


def apply() -> Response:
    """Apply for a project of one day with one shift."""
    form, zone = request.form, config("KIT").zone
    on = day("on")
    shift = ShiftForm(
        projects.local_time(zone, on, form["starts"]),
        projects.local_time(zone, on, form["ends"]),
        capacity=int(form["places"]) if form["places"].isdecimal() else None,
    )
    said = {name: form[name] for name in STATEMENTS}
    with desk() as opened:
        whole = ProjectForm(
            form["name"], form["organization"], on, on, said, places=shift.capacity, shifts=(shift,)
        )
        applied = projects.apply(opened, whole)
    return go("project", number=applied.number)


def publish(number: str) -> Response:
    """Publish a project that was approved."""
    with desk() as opened:
        projects.publish(opened, number)
    return go("project", number=number)


def decide(case: int) -> Response:
    """Approve or refuse what waits."""
    verdict = "approve" if "approve" in request.form else "refuse"
    with desk() as opened:
        approvals.decide(opened, case, verdict, reason=request.form["reason"])
    return go("cases")


def join(shift: int) -> Response:
    """Join a shift, or its waiting list when it is full."""
    with desk() as opened:
        recruiting.join(opened, shift, own(opened))
    return go("me")


def check() -> Response:
    """Check in or out by the code on the leader's screen."""
    code = request.form["code"].strip()
    with desk() as opened:
        enter = attendance.check_out if "-out-" in code else attendance.check_in
        enter(opened, codes.shift_of_code(code), own(opened), code=code)
    return go("me")


def claim(shift: int) -> Response:
    """Claim the hours of everybody who checked in and out."""
    with desk() as opened:
        hours.claim_attendance(opened, shift)
    return go("cases")


def confirm(record: int) -> Response:
    """Confirm a record of hours."""
    with desk() as opened:
        hours.confirm(opened, record, reason=request.form["reason"] or None)
    return go("cases")


PAGES = (
    ("/", home),
    ("/login", login),
    ("/register", registration),
    ("/projects/new", application),
    ("/projects/<number>", project),
    ("/cases", cases),
    ("/shifts/<int:shift>/screen/<purpose>", screen),
    ("/me", me),
)
ACTIONS = (
    ("/login", log_in),
    ("/logout", log_out),
    ("/language/<language>", speak),
    ("/register", register),
    ("/projects/new", apply),
    ("/projects/<number>/publish", publish),
    ("/cases/<int:case>", decide),
    ("/shifts/<int:shift>/join", join),
    ("/check", check),
    ("/shifts/<int:shift>/claim", claim),
    ("/records/<int:record>/confirm", confirm),
)

if __name__ == "__main__":
    create_app().run()
