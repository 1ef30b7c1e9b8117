"""The daily work of an office: register, decide cases, look volunteers up, give and lend grants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import attrs

from volunteerkit import messages
from volunteerkit.cli.common import City, both, print_json, told_page, word
from volunteerkit.cli.tables import print_table
from volunteerkit.cli.typed import check_scope, id_of, known_number, number_of, role_of
from volunteerkit.errors import Finding, InvalidValue, Refused, did_you_mean
from volunteerkit.units import day_of, fold, instant_of

if TYPE_CHECKING:
    from volunteerkit.approvals import Case
    from volunteerkit.store.desk import Desk

__all__ = [
    "case_values", "findings_values", "moved", "print_findings", "print_where", "run_case", "run_decide", "run_find", "run_give",
    "run_grants", "run_lend", "run_pending", "run_revoke", "run_show", "run_status", "run_take_back", "run_transfer", "run_withdraw",
]  # fmt: skip

_DAYS = ("since", "until", "effective_on", "first_on", "last_on")
_INSIDE = ("handled", "seq")
"""Facts by which the library decides, and which say nothing to a clerk."""
_LINES = 20


def __dir__() -> list[str]:
    return __all__


def _print_table(
    heads: tuple[tuple[str, str], ...], rows: Iterable[Iterable[object]], title: str = ""
) -> None:
    print_table([both(zh, en) for zh, en in heads], rows, title)


def findings_values(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """Return findings as the JSON shows them."""
    return [{"code": each.code, "severity": each.severity, "text": each.message()} for each in found]


def _step(desk: Desk, case: Case) -> str:
    step = desk.workflows[case.kind].route.step(case.standing.position.step)
    return step.name if step and case.state == "review" else ""


def _facts(desk: Desk, case: Case) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in case.facts.items():
        if name == "recloses_at":
            shown[name] = instant_of(value).astimezone(desk.zone)
        elif value not in (None, "") and name not in _INSIDE:
            shown[name] = day_of(value) if name in _DAYS and isinstance(value, int) else value
    return shown


def case_values(desk: Desk, case: Case) -> dict[str, Any]:
    """Return a case as the JSON shows it."""
    return {
        "case": case.id, "kind": case.kind, "volunteer": case.place.volunteer, "state": case.state,
        "step": _step(desk, case), "due_on": case.standing.due_on, "opened_by": case.opened_by,
        "opened_on": case.opened_on, "facts": _facts(desk, case), "findings": findings_values(case.findings),
        "closed_by": case.closed_by, "reason": case.reason,
    }  # fmt: skip


def _about(case: dict[str, Any]) -> str:
    facts = case["facts"]
    if "first_on" in facts:
        return f"{facts['first_on']}–{facts['last_on']}"
    told = ("actor", "project", "organization")
    return str(case["volunteer"] or next((facts[each] for each in told if facts.get(each)), ""))


def print_where(case: dict[str, Any], json: bool) -> None:
    """Say in one line where a case stands."""
    if json:
        print_json(case)
        return
    state, about, kind = (
        word("case_state", case["state"]),
        _about(case),
        word("case_kind", case["kind"]),
    )
    line = both(f"审批件 {case['case']}（{kind}，{about}）：{state}", f"Case {case['case']} ({kind}, {about}): {state}")  # fmt: skip
    if case["step"]:
        step, due = word("case_step", case["step"]), case["due_on"]
        line += both(f"，环节：{step}", f", step {step}")
        line += both(f"，期限 {due}", f", due {due}") if due else ""
    print(line)


def print_findings(found: Iterable[Finding]) -> None:
    """Print what was found, one a line, with what blocks marked."""
    for each in found:
        mark = both("不可：", "blocks: ") if each.severity == "block" else both("提示：", "note: ")
        print(f"  {mark}{each.message()}")


def _kind_of(desk: Desk, typed: str) -> str:
    """Return the kind of case for its code or its word, in either language; raises InvalidValue."""
    texts = messages.catalogue()
    words = {
        fold(said).strip().lower(): kind
        for kind in desk.workflows
        for said in (kind, *texts.get(f"word_case_kind_{kind}", {}).values())
    }
    wanted = fold(typed).strip().lower()
    if wanted in words:
        return words[wanted]
    known = ", ".join(f"{word('case_kind', kind)} ({kind})" for kind in sorted(desk.workflows))
    error = InvalidValue(name="--kind", value=typed, allowed=known)
    # a Chinese word is short: half of it is enough to be recognized by
    if near := did_you_mean(wanted, words) or did_you_mean(wanted, words, likeness=0.5):
        error.add_note(str(near).strip())
    raise error


def run_pending(city: City, every: bool, kind: str | None, limit: int, after: int, json: bool) -> None:
    """List waiting cases: those the actor may decide, or with ``every`` all that they may see."""
    from volunteerkit import approvals

    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = approvals.pending(
            desk, mine=not every, kind=kind and _kind_of(desk, kind), after=after, limit=limit + (limit > 0)
        )
        rows = [case_values(desk, each) for each in found[:limit]]
    if json:
        print_json(rows)
    elif not rows:
        print(
            both("没有等待办理的审批件。", "No case is waiting.")
            if every
            else both(
                "没有等您决定的审批件。用 --all 查看全部等待的。",
                "No case waits for your decision. --all shows all that wait.",
            )
        )
    else:
        heads = (("审批件", "case"), ("事项", "kind"), ("对象", "about"), ("状态", "state"), ("环节", "step"),
                 ("期限", "due"), ("意见", "findings"))  # fmt: skip
        _print_table(heads, (
            (row["case"], word("case_kind", row["kind"]), _about(row), word("case_state", row["state"]),
             word("case_step", row["step"]), row["due_on"], "\n".join(each["text"] for each in row["findings"]))
            for row in rows
        ))  # fmt: skip
    if len(found) > len(rows):
        told_page(len(rows), rows[-1]["case"])


def moved(city: City, work: Callable[[Desk], Case], json: bool) -> None:
    """Do what moves or opens a case and say where it stands then."""
    print_where(
        city.kit.run(city.engine, city.actor, lambda desk: case_values(desk, work(desk))),
        json,
    )


def run_decide(typed: str, verdict: str, reason: str, city: City, json: bool) -> None:
    """Approve or refuse a case, or the registration of the volunteer with that number."""
    from volunteerkit import approvals, volunteers

    number = number_of("case", typed)
    if number.isascii() and number.isdigit():
        moved(city, lambda desk: approvals.decide(desk, int(number), verdict, reason=reason), json)
    else:
        decide = volunteers.approve if verdict == "approve" else volunteers.refuse
        moved(city, lambda desk: decide(desk, number, reason=reason), json)


def run_withdraw(typed: str, reason: str, city: City, json: bool) -> None:
    """Withdraw a waiting case."""
    from volunteerkit import approvals

    case_id = id_of("case", typed)
    moved(city, lambda desk: approvals.withdraw(desk, case_id, reason=reason), json)


def run_case(typed: str, city: City, json: bool) -> None:
    """Show one case with its decisions, objections and findings."""
    from volunteerkit import approvals

    case_id = id_of("case", typed)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        case = approvals.view(desk, case_id)
        values = case_values(desk, case)
        decided, objected = approvals.decisions(desk, case_id), approvals.objections(desk, case_id)
        zone = desk.zone
    if json:
        added = {"decisions": [attrs.asdict(each) for each in decided], "objections": [attrs.asdict(each) for each in objected]}  # fmt: skip
        print_json(values | added)
        return
    print_where(values, json)
    print(both(f"  由 {case.opened_by} 于 {case.opened_on} 提出", f"  opened by {case.opened_by} on {case.opened_on}"))  # fmt: skip
    for name, value in values["facts"].items():
        if name.endswith("_id"):  # the program's own numbers say nothing to a clerk
            continue
        told = {True: both("是", "yes"), False: both("否", "no")}[value] if isinstance(value, bool) else value
        told = word("change", told) if name == "change" else told
        told = f"{value.astimezone(zone):%Y-%m-%d %H:%M}" if name == "recloses_at" else told
        print(f"  {word('fact', name)}: {told}")
    print_findings(case.findings)
    for one in decided:
        at, verdict = one.at.astimezone(zone).strftime("%Y-%m-%d %H:%M"), word("verdict", one.verdict)
        by = one.actor_id + (both(f"（代 {one.on_behalf_of}）", f" for {one.on_behalf_of}") if one.on_behalf_of else "")  # fmt: skip
        step, why = word("case_step", one.step), one.reason and both(f"：{one.reason}", f": {one.reason}")
        print(both(f"  {at} {by}（{step}）{verdict}{why}", f"  {at} {by} ({step}) {verdict}{why}"))
    for each in objected:
        answer = word("answer", each.answer)
        print(both(f"  异议 {each.number}，{each.on} {each.actor_id}（{answer}）：{each.reason}",
                   f"  objection {each.number}, {each.on} {each.actor_id} ({answer}): {each.reason}"))  # fmt: skip
    if case.state == "withdrawn":
        why = case.reason and both(f"：{case.reason}", f": {case.reason}")
        print(both(f"  由 {case.closed_by} 撤回{why}", f"  withdrawn by {case.closed_by}{why}"))
    if case.closed_by in ("deadline", "route"):
        print(both("  到期或按流程自动办结", "  closed by itself, by a term or its route"))


def run_transfer(typed: str, to: str, on: dt.date | None, reason: str, city: City, json: bool) -> None:
    """Ask that another organization manage the volunteer."""
    from volunteerkit import volunteers

    number, target = number_of("volunteer", typed), number_of("organization", to)
    moved(
        city,
        lambda desk: volunteers.request_transfer(desk, number, target, effective_on=on, reason=reason),
        json,
    )


_USES = {
    "suspend": ("since", "until", "reason"), "leave": ("since", "until", "reason"), "probation": ("until", "reason"),
    "end": ("until",), "deregister": ("reason",), "reactivate": (),
}  # fmt: skip
_NEEDS = {"suspend": ("reason",), "probation": ("until", "reason")}


def run_status(typed: str, what: str, given: dict[str, Any], city: City, json: bool) -> None:
    """Suspend a volunteer and the like; ``given`` holds since, until and reason, None for what was not given."""
    from volunteerkit import personal

    number = number_of("volunteer", typed)
    for name, value in given.items():
        if value is not None and name not in _USES[what]:
            raise InvalidValue("option_not_here", command=f"status {what}", name=f"--{name}")
        if value is None and name in _NEEDS.get(what, ()):
            raise InvalidValue("option_missing_here", command=f"status {what}", name=f"--{name}")

    def work(desk: Desk) -> str:
        _change(desk, number, what, given["since"], given["until"], given["reason"] or "")
        return personal.profile(desk, number).status

    status = city.kit.run(city.engine, city.actor, work)
    if json:
        print_json({"volunteer": number, "done": what, "status": status})
    else:
        now = word("volunteer_status", status)
        print(both(f"已办理。志愿者 {number} 今天的状态：{now}", f"Done. Volunteer {number} is {now} today."))


def _change(
    desk: Desk, number: str, what: str, since: dt.date | None, until: dt.date | None, reason: str
) -> None:
    from volunteerkit import volunteers

    match what:
        case "suspend":
            volunteers.suspend(desk, number, reason=reason, since=since, until=until)
        case "leave":
            volunteers.take_leave(desk, number, since=since or desk.today, until=until, reason=reason)
        case "probation":
            assert until is not None
            volunteers.put_on_probation(desk, number, until=until, reason=reason)
        case "end":
            volunteers.end_period(desk, number, _to_end(desk, number), last_day=until)
        case "deregister":
            volunteers.deregister(desk, number, reason=reason)
        case "reactivate":
            volunteers.reactivate(desk, number)


def _to_end(desk: Desk, number: str) -> str:
    """Return the kind of what runs today, else of what begins next; raises Refused when there is neither."""
    from volunteerkit import personal
    from volunteerkit.volunteers.reading import find, periods_of

    kinds = ("suspended", "on_leave", "provisional")
    running = personal.profile(desk, number).status  # who may not see the volunteer is told here
    if running in kinds:
        return running
    found = find(desk, number)
    coming = [
        (each.since, each.kind)
        for each in (periods_of(desk, found.id) if found else ())
        if each.kind in kinds and each.since > desk.today and (each.until is None or each.until >= each.since)
    ]
    if not coming:
        raise Refused(Finding("status_does_not_allow", {"volunteer": number, "status": running}))
    return min(coming)[1]


def run_find(text: str, limit: int, city: City, json: bool) -> None:
    """List volunteers by number, phone or part of a name, each as far as the actor may see them."""
    from volunteerkit import personal

    if not text.strip():
        raise InvalidValue(name="text", value=text, allowed=messages.phrase("allowed_search"))
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = personal.find(desk, text, limit=limit)
    if json:
        print_json([attrs.asdict(each) for each in found])
    elif not found:
        print(both("没有找到。可以查找：", "Nobody was found. Look for: ") + messages.text("allowed_search"))
    else:
        heads = (("编号", "number"), ("姓名", "name"), ("组织", "organization"), ("状态", "status"))
        rows = ((each.number, each.name, each.organization, word("volunteer_status", each.status)) for each in found)  # fmt: skip
        _print_table(heads, rows)
        if len(found) == limit:
            print(both(f"只列出前 {limit} 人；--limit 可以更多。", f"The first {limit} only; --limit shows more."))  # fmt: skip


def run_show(typed: str, city: City, json: bool) -> None:
    """Show a volunteer: what may be seen of them in its masks, where they belong, what stands in their record."""
    from volunteerkit import personal, statistics, volunteers

    number = number_of("volunteer", typed)
    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        shown = personal.profile(desk, number)
        belongs = volunteers.memberships(desk, number)
        qualified = volunteers.qualifications(desk, number)
        lines = statistics.activity_record(desk, number)
    fields = {name: value for name, value in shown.fields.items() if value}
    if json:
        print_json({
            "volunteer": shown.number, "status": shown.status, "organization": shown.organization, "team": shown.team,
            "district": shown.district, "registered_on": shown.registered_on, "retention": shown.retention,
            "skills": shown.skills, "fields": fields, "masked": sorted(shown.masked & fields.keys()),
            "memberships": [attrs.asdict(each) for each in belongs],
            "qualifications": [attrs.asdict(each) for each in qualified],
            "record": [attrs.asdict(each) for each in lines],
        })  # fmt: skip
        return
    status, since = word("volunteer_status", shown.status), shown.registered_on
    print(both(f"志愿者 {shown.number}：{status}，{since} 登记", f"Volunteer {shown.number}: {status}, registered on {since}"))  # fmt: skip
    for name, value in fields.items():
        label = "age" if name == "born_on" and name in shown.masked else name
        print(f"  {word('personal', label)}: {value}")
    for label, text in (
        (both("区县", "district"), shown.district),
        (both("技能", "skills"), ", ".join(shown.skills)),
    ):
        if text:
            print(f"  {label}: {text}")
    days = (("起", "since"), ("止", "until"))
    _print_table(
        (("组织", "organization"), ("服务队", "team"), ("身份", "role"), *days),
        ((each.organization, each.team, word("member_role", each.role), each.since, each.until) for each in belongs),
        both("归属", "Memberships"),
    )  # fmt: skip
    if qualified:
        _print_table(
            (("资质", "qualification"), *days, ("发证", "issuer")),
            ((each.kind, each.obtained_on, each.valid_until, each.issuer) for each in qualified),
            both("资质", "Qualifications"),
        )
    _print_record(lines)


def _print_record(lines: tuple[Any, ...]) -> None:
    if not lines:
        return
    title = both(f"记录（共 {len(lines)} 条，最近 {min(len(lines), _LINES)} 条）",
                 f"Record ({len(lines)} lines, the last {min(len(lines), _LINES)})")  # fmt: skip
    heads = (("日期", "day"), ("种类", "kind"), ("名称", "name"), ("分钟", "minutes"), ("组织", "organization"), ("状态", "state"))  # fmt: skip
    _print_table(
        heads,
        ((each.on, word("activity", each.kind), each.name, each.minutes if each.score is None else each.score,
          each.organization or each.granted_by, word("record_state", each.state)) for each in lines[-_LINES:]),
        title,
    )  # fmt: skip


def run_grants(holder: str | None, city: City, json: bool) -> None:
    """List the stored grants, of one actor or of all."""
    from volunteerkit.approvals import grants

    with city.kit.open(city.engine, city.actor, read_only=True) as desk:
        found = grants.list_grants(desk, holder)
    if json:
        print_json([attrs.asdict(each) for each in found])
    elif not found:
        print(both("没有授权。", "There are no grants."))
    else:
        heads = (("授权", "grant"), ("持有者", "holder"), ("角色", "role"), ("范围", "scope"), ("起", "since"), ("止", "until"),
                 ("给予者", "given by"), ("出借", "lent"))  # fmt: skip
        _print_table(heads, (
            (each.number, each.actor_id, each.role, each.scope, each.since, each.until, each.granted_by,
             both("是", "yes") if each.delegated else "") for each in found
        ))  # fmt: skip


def run_give(
    holder: str, role: str, since: dt.date | None, until: dt.date | None, volunteer: str | None, city: City, json: bool
) -> None:  # fmt: skip
    """Propose to give one of the city's roles; another officer of the centre decides."""
    from volunteerkit.approvals import grants

    name, scope = role_of(role)

    def work(desk: Desk) -> Case:
        desk.permit("grant.change")
        check_scope(desk, name, scope)
        person = None if volunteer is None else known_number(desk, "volunteer", volunteer)
        return grants.give(desk, holder, name, scope, since=since, until=until, volunteer=person)

    moved(city, work, json)


def run_revoke(typed: str, until: dt.date | None, city: City, json: bool) -> None:
    """Propose to end a stored grant; another officer of the centre decides."""
    from volunteerkit.approvals import grants

    grant_id = id_of("grant", typed)
    moved(city, lambda desk: grants.revoke(desk, grant_id, until=until), json)


def run_lend(holder: str, role: str, since: dt.date | None, until: dt.date, city: City, json: bool) -> None:
    """Lend a stored grant of the actor's own."""
    from volunteerkit.approvals import grants

    name, scope = role_of(role)
    number = city.kit.run(
        city.engine,
        city.actor,
        lambda desk: grants.delegate(desk, holder, name, scope, since=since, until=until),
    )
    if json:
        print_json({"grant": number})
    else:
        print(both(f"已出借，授权 {number}，至 {until}。", f"Lent as grant {number}, until {until}."))


def run_take_back(typed: str, city: City, json: bool) -> None:
    """End a loan of the actor's own at once."""
    from volunteerkit.approvals import grants

    grant_id = id_of("grant", typed)
    city.kit.run(city.engine, city.actor, lambda desk: grants.take_back(desk, grant_id))
    if json:
        print_json({"grant": grant_id})
    else:
        print(both(f"已收回授权 {grant_id}。", f"Grant {grant_id} was taken back."))
