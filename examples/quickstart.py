"""From nothing to a star with its reasons: an embedded city in a few lines."""

import datetime as dt

import volunteerkit
from volunteerkit import (
    Actor,
    Application,
    Claim,
    KeyCipher,
    Kit,
    hours,
    organizations,
    projects,
    rating,
    volunteers,
)

kit = Kit.load("xinyu", cipher=KeyCipher(b"32 bytes from your key service!!"))
engine = volunteerkit.create_engine("sqlite://")
kit.migrate(engine)

with kit.open(engine, Actor.of("clerk-7", "centre")) as desk:
    organizations.register(desk, "O0001", name="渝水区志愿服务联合会")
    projects.register(desk, "P0001", name="无偿献血宣传", organization="O0001")
    lan = volunteers.register(
        desk, Application("兰", "O0001", born_on=dt.date(1990, 5, 1), consent_on=desk.today)
    )
with kit.open(engine, Actor.of("clerk-8", "centre")) as desk:  # nobody decides what they made
    volunteers.approve(desk, lan)
    claim = Claim(lan, "P0001", dt.date(2026, 11, 8), 150, dt.time(9), dt.time(11, 30))
    recorded = hours.record(desk, claim, key="sheet-12-row-3")
with kit.open(engine, Actor.of("clerk-7", "centre")) as desk:
    hours.confirm(desk, recorded.record_id)
    print(rating.rate_volunteer(desk, lan).assessment.explain("en"))
