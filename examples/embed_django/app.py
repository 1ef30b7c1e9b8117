"""volunteerkit inside Django, on Django's own connection: one ``atomic`` block holds the rows of both.

    python examples/embed_django/app.py

serves http://127.0.0.1:8000/ over ``django-data/city.db``, with Django installed (``pip install django``). lan and
clerk-8 have the password ``change-me``. What matters is marked (1) to (4).
"""

import datetime as dt
import os
from contextlib import contextmanager

import django
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model, login
from django.core.management import call_command
from django.db import connection, models, transaction
from django.http import JsonResponse
from django.urls import path
from django.utils.translation import get_language
from django.views.decorators.http import require_POST

import volunteerkit as vk
from volunteerkit import hours, organizations, projects, volunteers

DATA = os.environ.get("CITY", "django-data")
os.makedirs(DATA, mode=0o700, exist_ok=True)
FILE = f"{DATA}/city.db"
PROMISES = "PRAGMA journal_mode=WAL; PRAGMA recursive_triggers=ON; PRAGMA secure_delete=ON"
KEPT = {"transaction_mode": "IMMEDIATE", "init_command": PROMISES}  # (1) as volunteerkit.create_engine does
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(32).hex(),
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    LANGUAGE_CODE="zh-hans",
    INSTALLED_APPS=[f"django.contrib.{name}" for name in ("auth", "contenttypes", "sessions")],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FILE, "OPTIONS": KEPT}},
)
django.setup()


class Member(models.Model):
    """What Django keeps of a user: whose account it is, and how often they claimed."""

    user = models.OneToOneField("auth.User", models.CASCADE)
    volunteer = models.CharField(max_length=100)
    claims = models.IntegerField(default=0)

    class Meta:
        app_label = "portal"


engine = vk.create_engine(f"sqlite:///{FILE}", borrowed=lambda: connection.connection)  # (2)
kit = vk.Kit.load("xinyu", cipher=vk.KeyCipher.from_file(f"{DATA}/city.key", create=True))


@contextmanager
def desk_of(actor):
    """Yield a desk inside Django's own transaction, which ends with the block."""
    with transaction.atomic(), engine.connect() as borrowed:
        yield kit.desk(borrowed, actor)


def actor_of(request):
    """Return the actor for the user who logged in (3)."""
    member = Member.objects.filter(user=request.user.pk).first()
    role = "centre" if request.user.is_staff else "volunteer" if member else "public"
    return vk.Actor(f"user:{request.user.pk}", (vk.Grant(role),), volunteer=member and member.volunteer)


def told(view):
    """Let a view tell what the library refused, in the reader's language (4)."""

    def answered(request, **given):
        try:
            return view(request, **given)
        except vk.VolunteerkitError as error:
            language = "zh-CN" if get_language().startswith("zh") else "en"
            found = error.findings if isinstance(error, vk.Refused) else (error,)
            status = {vk.NotFound: 404, vk.NotPermitted: 403}.get(type(error), 422)
            return JsonResponse([each.message(language) for each in found], safe=False, status=status)

    return answered


@require_POST
def log_in(request):
    if user := authenticate(request, username=request.POST["login"], password=request.POST["password"]):
        login(request, user)
    return JsonResponse({}, status=200 if user else 401)


@told
def claim_or_read(request):
    actor = actor_of(request)
    if actor.volunteer is None:
        return JsonResponse({}, status=403)
    with desk_of(actor) as desk:
        if request.method == "POST":
            Member.objects.filter(user=request.user).update(claims=models.F("claims") + 1)
            on = dt.date.fromisoformat(request.POST["on"])
            hours.record(desk, vk.Claim(actor.volunteer, "P0001", on, int(request.POST["minutes"])))
        found = hours.statement(desk, actor.volunteer)
    lines = [(str(each.served_on), each.credited_minutes) for each in found.lines]
    return JsonResponse(lines, safe=False)


@require_POST
@told
def confirm(request, record):
    with desk_of(actor_of(request)) as desk:
        hours.confirm(desk, record)
    return JsonResponse({})


urlpatterns = [
    path("login", log_in),
    path("hours", claim_or_read),
    path("hours/<int:record>/confirm", confirm),
]


def make_city():
    """Make the tables of both and, the first time, an organization, a project and two users, all made up."""
    call_command("migrate", verbosity=0)
    if Member._meta.db_table in connection.introspection.table_names():
        return
    with connection.schema_editor() as editor:
        editor.create_model(Member)
    with transaction.atomic():
        kit.migrate(engine)
    with desk_of(vk.Actor.of("clerk-7", "centre")) as desk:
        organizations.register(desk, "O0001", name="渝水区志愿服务联合会")
        projects.register(desk, "P0001", name="无偿献血宣传", organization="O0001")
        number = volunteers.admit(desk, name="周兰", organization="O0001")
        made = get_user_model().objects.create_user
        made("clerk-8", password="change-me", is_staff=True)
        Member.objects.create(user=made("lan", password="change-me"), volunteer=number)


if __name__ == "__main__":
    make_city()
    call_command("runserver", "127.0.0.1:8000", "--noreload")
