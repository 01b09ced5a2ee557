"""Random cases: small adversarial streams of messages, and catalogues of definitions.

A few people, accounts, names and values, on a coarse grid of time, so that equal instants,
window edges, ties and changes of mind are met often. `Language` says which part of the
definition language the catalogues keep to; every catalogue is one the grammar accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from hypothesis import strategies as st

from .values import HOUR, MINUTE

Message = dict[str, Any]
Table = dict[str, Any]
Strategy = st.SearchStrategy

START = 1_774_483_200_000  # 2026-03-26T00:00Z: the clocks change in Europe on the 29th
GRID = 6 * HOUR
STEPS = 28
OFF_GRID = (0, 0, 0, 0, 0, 0, -1, 1, 30 * MINUTE, HOUR)

USERS = ("u1", "u2", "u3")
OFTEN_USERS = ("u1", "u1", "u2", "u3")
ANONYMOUS = ("a1", "a2", "u3")  # u3 is a name in both name spaces
ACCOUNTS = ("acme", "brix")
CONVERSION = "subscription_started"
OFTEN = ("project_created", "project_created", "task_done", "project_shared", "signed_up")
EVENTS = (*OFTEN, *OFTEN, "trial_started", CONVERSION)

# --- streams --------------------------------------------------------------------------------

# Each is drawn whole: a message costs few draws, and shrinks to the first of each.
KINDS: list[Table] = [
    {"kind": value}
    for value in ("a", "b", "A", 1, 1.0, "1", True, None, ["a"], {"x": 1}, {"x": 1.0})
]
NUMBERS: list[Table] = [
    {"n": value} for value in (1, 2, 3, 5, 0, -1, 0.1, 0.2, 1.0, "2", True, None)
]
NESTED: list[Table] = [
    {"deep": {"x": 1}},
    {"deep": {"x": 2}},
    {"deep": {"x": 1}, "deep.x": 3},
    {"deep": {"x": 1}, "deep.x": None},
    {"deep": 1, "tags": ["a", "b"]},
    {"tags": [1], "deep": {"x": None}},
    {"tags": "abc"},
]
PLANS: list[Table] = [{"plan": value} for value in ("free", "pro", None)]
EMAILS: list[Table] = [
    *({"email": value} for value in ("eve@free.example", "Bob@OurCompany.Example", "?", None)),
    *({"email": value} for value in (" Eve <eve@gmail.com.>\n", "al@hey.example", 7)),
    *({"is_employee": value} for value in (False, True, "true", None)),
]
SIZES: list[Table] = [
    *({"employees": value} for value in (10, 50, 50.0, 200, "50", None)),
    *({"limit": value} for value in (2, 4, 0, "4", None)),
]
DATES: list[Table] = [
    {"started": value}
    for value in (
        *("2026-03-27", "2026-03-27T06:00:00Z", "2026-03-28T00:00:00.5+02:00"),
        *("2026-03-26 12:00", "soon", None),
        *(1_774_569_600, 1_774_569_600_000, "1774569600", 1_774_569_600.5, True),
    )
]


DUE: list[Table] = [
    {"due": value}
    for value in (
        *("2026-03-28", "2026-03-28T00:00:00Z", "2026-03-27T23:00:00.000Z", "soon"),
        *(1_774_656_000, 1_774_652_400_000, "1774656000", 5, True, None),
    )
]
CONTEXTS: list[Table] = [
    {},
    {},
    {"campaign": {"source": "ads"}},
    {"campaign": {"source": "mail", "n": 2}},
    {"campaign.source": "ads", "campaign": {"source": "mail"}},
    {"campaign": "ads", "locale": "de"},
]


@cache
def properties() -> Strategy[Table]:
    return one_of_each(KINDS, NUMBERS, NESTED, DUE)


@cache
def traits() -> Strategy[Table]:
    return one_of_each(PLANS, EMAILS, SIZES, DATES)


def one_of_each(*choices: list[Table]) -> Strategy[Table]:
    """One table of each list, or none of it, put together."""
    return st.tuples(*(st.sampled_from([{}, *tables]) for tables in choices)).map(merged)


def merged(tables: tuple[Table, ...]) -> Table:
    return {key: value for table in tables for key, value in table.items()}


@cache
def times() -> Strategy[int]:
    return st.builds(
        lambda step, off: START + step * GRID + off,
        st.integers(0, STEPS),
        st.sampled_from(OFF_GRID),
    )


@dataclass(frozen=True)
class Ids:
    """Who a message is of. Without both ids it is of its account alone."""

    user: str | None
    anonymous: str | None


NOBODY = Ids(None, None)


@cache
def ids(identity: bool) -> Strategy[Ids]:
    known = [Ids(user, None) for user in OFTEN_USERS]
    if not identity:
        return st.sampled_from(known)
    both = [Ids(user, anonymous) for user in USERS for anonymous in ANONYMOUS]
    return st.sampled_from([*known, *known, *both, *(Ids(None, each) for each in ANONYMOUS)])


def message(kind: str, who: Ids, time: int, **parts: Any) -> Message:
    return {
        "type": kind,
        "userId": who.user,
        "anonymousId": who.anonymous,
        "previousId": None,
        "groupId": None,
        "event": None,
        "properties": {},
        "traits": {},
        "context": {},
        "time": time,
        **parts,
    }


@st.composite
def events(draw: st.DrawFn, identity: bool, groups: bool) -> Message:
    parts: Table = {"event": draw(st.sampled_from(EVENTS)), "properties": draw(properties())}
    parts["context"] = draw(st.sampled_from(CONTEXTS))
    if groups:
        named = st.sampled_from([None, None, *ACCOUNTS])
        parts["groupId"] = draw(named)
        in_context = draw(named)
        if in_context:
            parts["context"] = {**parts["context"], "groupId": in_context}
    return message("track", draw(ids(identity)), draw(times()), **parts)


@st.composite
def page_views(draw: st.DrawFn, identity: bool) -> Message:
    kind = draw(st.sampled_from(["page", "screen"]))
    seen = {"name": draw(st.sampled_from(["Pricing", "Home"])), **draw(properties())}
    return message(kind, draw(ids(identity)), draw(times()), event=kind, properties=seen)


@st.composite
def identify_calls(draw: st.DrawFn, identity: bool) -> Message:
    in_context = {"traits": draw(traits())} if draw(st.booleans()) else {}
    who = draw(ids(identity))
    return message("identify", who, draw(times()), traits=draw(traits()), context=in_context)


@st.composite
def group_calls(draw: st.DrawFn, identity: bool) -> Message:
    account = draw(st.sampled_from(ACCOUNTS))
    who = draw(ids(identity))
    told = {**draw(traits()), **draw(leaving())}
    return message("group", who, draw(times()), groupId=account, traits=told)


@cache
def leaving() -> Strategy[Table]:
    others = [{}, {}, {}, {"left": False}, {"left": 1}]
    return st.sampled_from([*others, {"left": True}, {"left": True}, {"left": True}])


@st.composite
def account_facts(draw: st.DrawFn) -> Message:
    """What a server says of an account, without a person."""
    kind = draw(st.sampled_from(["track", "track", "page", "group"]))
    account, parts = draw(st.sampled_from(ACCOUNTS)), {}
    if kind == "group":
        parts = {"traits": {**draw(traits()), **draw(leaving())}}
    else:
        event = draw(st.sampled_from(EVENTS)) if kind == "track" else kind
        parts = {"event": event, "properties": draw(properties())}
    if kind != "group" and draw(st.booleans()):
        parts["context"] = {"groupId": account}
    else:
        parts["groupId"] = account
    return message(kind, NOBODY, draw(times()), **parts)


@st.composite
def alias_calls(draw: st.DrawFn) -> Message:
    previous = draw(st.sampled_from([*USERS, *ANONYMOUS]))
    who = Ids(draw(st.sampled_from(USERS)), None)
    return message("alias", who, draw(times()), previousId=previous)


@st.composite
def streams(
    draw: st.DrawFn,
    *,
    identity: bool = True,
    groups: bool = True,
    traits: bool = True,
    pages: bool = True,
    duplicates: bool = True,
    max_size: int = 40,
) -> list[Message]:
    """Messages in their order of arrival, which has nothing to do with their times."""
    at_least = draw(st.sampled_from([1, max_size // 3, max_size // 2]))  # few shrinks to one
    kinds = [events(identity, groups)] * 5
    kinds += [page_views(identity)] if pages else []
    kinds += [identify_calls(identity)] if traits else []
    kinds += [group_calls(identity), account_facts()] if groups else []
    kinds += [alias_calls()] if identity else []
    arrived = draw(st.lists(st.one_of(kinds), min_size=at_least, max_size=max_size))
    for index, each in enumerate(arrived):
        each["messageId"] = f"m{draw(st.integers(0, 99)):02}-{index:02}"  # no order of its own
    copies = draw(st.lists(st.one_of(kinds), max_size=3)) if duplicates else []
    for each in copies:
        each["messageId"] = draw(st.sampled_from(arrived))["messageId"]
        arrived.insert(draw(st.integers(0, len(arrived))), each)
    return arrived


# --- catalogues -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Language:
    """The part of the definition language that random catalogues keep to."""

    subjects: Collection[str] = ("user", "account")
    measures: Collection[str] = (
        "count", "distinct", "sum", "min", "max", "last", "metric",
        "trait", "users", "sequence", "growth", "score", "pql",
    )  # fmt: skip
    distinct: Collection[str] = ("property", "@day", "@hour", "@minute", "@user", "@event")
    events: Collection[str] = ("name", "list", "prefix", "any", "feature")
    thresholds: Collection[str] = ("number", "quantity", "ratio", "duration", "all")
    combinators: Collection[str] = ("leaf", "all", "any", "at_least")
    windows: Collection[str] = ("none", "rolling", "anchored")
    anchors: Collection[str] = ("signup", "trial", "first", "trait")
    guards: Collection[str] = ("internal", "customer", "personal", "conditions")
    options: Collection[str] = ("where", "per", "from", "inherit", "requalify", "clock", "account.")
    timezones: Collection[str] = ("UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York")
    signup: Collection[str | None] = ("signed_up", None)  # None: left out


WHOLE = Language()
FIRST = Language(
    measures=("count", "distinct", "trait"),
    distinct=("property", "@day", "@user", "@event"),
    thresholds=("number",),
    combinators=("leaf", "all", "any"),
    anchors=("signup",),
    options=("where", "inherit"),
)

FEATURES = {"basic": ["project_created", "task_done"], "sharing": ["project_shared"]}
METRICS: list[Table] = [
    {"name": "projects", "event": "project_created"},
    {"name": "volume", "event": "*", "sum": "n"},
    {"name": "kinds", "event": ["project_created", "task_done"], "distinct": "kind"},
    {"name": "big", "event": "project_*", "where": {"n": {"gte": 1}}},
]
SUMS = ("volume",)

DAYS = ("1d", "2d", "3d", "1w")
HOURS = ("6h", "12h", "1d", "36h")


@st.composite
def catalogues(
    draw: st.DrawFn, language: Language = WHOLE, *, max_definitions: int = 3
) -> dict[str, Any]:
    """A catalogue of one to `max_definitions` definitions, as TOML would be parsed."""
    catalogue: dict[str, Any] = {
        "project": draw(projects(language)),
        **({"metric": METRICS} if "metric" in language.measures else {}),
        **({"features": FEATURES} if "feature" in language.events else {}),
        "pql": [],
    }
    for number in range(draw(st.integers(1, max_definitions))):
        catalogue["pql"].append(draw(definitions(language, f"pql_{number}", catalogue["pql"])))
    return catalogue


@st.composite
def projects(draw: st.DrawFn, language: Language) -> Table:
    signup = draw(st.sampled_from(list(language.signup)))
    return {
        "timezone": draw(st.sampled_from(list(language.timezones))),
        **({"signup": signup} if signup else {}),
        "trial": "trial_started",
        "conversion": CONVERSION,
        "internal": {"email_domain": ["ourcompany.example"], "trait": {"is_employee": True}},
        "personal_domains": ["Hey.example"],
    }


@st.composite
def definitions(draw: st.DrawFn, language: Language, name: str, earlier: list[Table]) -> Table:
    subject = draw(st.sampled_from(list(language.subjects)))
    clock = "clock" in language.options and draw(st.integers(0, 4)) == 0
    leaves = Leaves(language, subject, earlier, absence=clock)
    table: Table = {"name": name, "subject": subject}
    if clock:
        table["clock"] = True
    if "inherit" in language.options and draw(st.booleans()):
        table.update(draw(windows(leaves, DAYS, may_start_later=False)))
    table["when"] = draw(conditions(leaves))
    if draw(st.integers(0, 2)) == 0:
        table["unless"] = draw(unless(Leaves(language, subject, earlier, True, guard=True)))
    if "requalify" in language.options and draw(st.booleans()):
        table["requalify"] = {"after_silence": draw(st.sampled_from(["12h", "1d", "2d"]))}
        table["cooldown"] = "1d"
    return table


@st.composite
def unless(draw: st.DrawFn, leaves: Leaves) -> list[Any]:
    choices: list[Strategy[Any]] = [
        st.just(guard)
        for guard in ("internal", "customer", "personal")
        if guard in leaves.language.guards
    ]
    if "conditions" in leaves.language.guards:
        choices.append(conditions(leaves))
    return draw(st.lists(st.one_of(choices), max_size=2)) if choices else []


@st.composite
def conditions(draw: st.DrawFn, leaves: Leaves, depth: int = 0) -> Table:
    combinators = leaves.language.combinators if depth < 2 else ("leaf",)
    kind = draw(st.sampled_from(list(combinators)))
    if kind == "leaf":
        return draw(any_leaf(leaves))
    parts = draw(st.lists(conditions(leaves, depth + 1), min_size=1, max_size=3))
    if kind == "at_least":
        return {"at_least": draw(st.integers(1, len(parts))), "of_these": parts}
    return {kind: parts}


@dataclass(frozen=True)
class Leaves:
    """The leaves that may stand in one definition."""

    language: Language
    subject: str
    earlier: list[Table]  # the definitions before this one: what `pql` may name
    absence: bool  # whether a count of 0 may satisfy them
    guard: bool = False
    inside_users: bool = False

    def measures(self) -> list[str]:
        measures = set(self.language.measures)
        if self.subject == "user" or self.inside_users:
            measures -= {"users"}
        if not self.named():
            measures -= {"pql"}
        if self.absence and not self.guard:
            measures -= {"growth", "score"}  # these are not the clock's business
        return sorted(measures)

    def named(self) -> list[str]:
        """What `pql` may name: inside `users` user definitions, else none of members."""
        if self.inside_users:
            return [table["name"] for table in self.earlier if table["subject"] == "user"]
        fits = ("user", "account") if self.subject == "user" else ("account",)
        return [table["name"] for table in self.earlier if table["subject"] in fits]


@st.composite
def any_leaf(draw: st.DrawFn, leaves: Leaves) -> Table:
    measure = draw(st.sampled_from(leaves.measures()))
    return draw(MEASURES[measure](leaves))


@st.composite
def windows(
    draw: st.DrawFn, leaves: Leaves, lengths: Collection[str], may_start_later: bool = True
) -> Table:
    kind = draw(st.sampled_from(list(leaves.language.windows)))
    length = draw(st.sampled_from([*lengths, *DAYS]))
    if kind == "none":
        return {}
    if kind == "rolling":
        return {"within": length}
    table = {"of": draw(anchors(leaves))}
    if draw(st.integers(0, 3)):
        table["within"] = length
    if may_start_later and "from" in leaves.language.options and draw(st.booleans()):
        table["from"] = draw(st.sampled_from(["-1d", "-6h", "3h"]))
    return table


@st.composite
def anchors(draw: st.DrawFn, leaves: Leaves) -> str:
    texts = {
        "signup": ["signup"],
        "trial": ["trial"],
        "first": ["first:project_created", "first:task_done"],
        "trait": ["trait:started"],
    }
    return draw(st.sampled_from(texts[draw(st.sampled_from(list(leaves.language.anchors)))]))


# --- leaves ---------------------------------------------------------------------------------


def event_names(language: Language) -> Strategy[Any]:
    choices: dict[str, list[Any]] = {
        "name": ["project_created", "task_done", "page", "never_seen"],
        "list": [["project_created", "project_shared"], ["task_done", "screen"]],
        "prefix": ["project_*"],
        "any": ["*"],
        "feature": [{"feature": "basic"}, {"feature": "sharing"}],
    }
    return st.sampled_from([each for kind in language.events for each in choices[kind]])


@cache
def where() -> Strategy[Table]:
    return st.sampled_from(
        [
            {"kind": "a"},
            {"kind": ["a", 1]},
            {"kind": {"ne": "a"}},
            {"kind": {"ne": 1, "or_missing": True}},
            {"kind": {"not_in": ["a", True]}},
            {"kind": {"exists": True}},
            {"kind": {"exists": False}},
            {"kind": ["a", "b"], "n": {"gte": 1}},
            {"n": {"gte": 1, "lt": 3}},
            {"n": {"between": [0, 2]}},
            {"n": {"gt": 0.1}},
            {"n": {"lte": 2, "or_missing": True}},
            {"n": {"eq": 1}},
            {"deep.x": 1},
            {"deep.x": {"in": [1, 2]}},
            {"tags": {"contains": "a"}},
            {"name": {"starts_with": "P"}},
            {"name": {"ends_with": "e"}},
            {"name": {"ends_with": [" ", "g"]}},
            {"tags": {"contains": ["c", 1]}},
            {"context.campaign.source": "ads"},
            {"context.campaign.source": {"ne": "ads", "or_missing": True}},
            {"context": {"campaign": {"n": {"gte": 2}}}},
            {"due": {"lt": "2026-03-28"}},
            {"due": {"gte": "2026-03-28T00:00:00Z", "or_missing": True}},
            {"due": {"between": ["2026-03-27", "2026-03-28"]}},
        ]
    )


@st.composite
def event_part(draw: st.DrawFn, leaves: Leaves, lengths: Collection[str] = HOURS) -> Table:
    table: Table = {"event": draw(event_names(leaves.language))}
    if "where" in leaves.language.options and draw(st.integers(0, 2)) == 0:
        table["where"] = draw(where())
    if "per" in leaves.language.options and draw(st.integers(0, 4)) == 0:
        table["per"] = draw(st.sampled_from(["kind", "n", "deep.x", "context.locale"]))
    return {**table, **draw(windows(leaves, lengths))}


def count_comparisons(leaves: Leaves) -> Strategy[Table]:
    """Comparisons that a count of 0 does not satisfy, and the others where absence may stand."""
    some: list[Table] = [{}, {}, {"gte": 2}, {"gte": 3}, {"gt": 1}, {"eq": 2}, {"between": [2, 3]}]
    if "quantity" in leaves.language.thresholds:
        some += [{"gte": "0.002k"}]
    if "ratio" in leaves.language.thresholds:
        some += [{"gte": {"ratio": 0.5, "of_trait": "limit"}}]
    if leaves.absence:
        some += [{"eq": 0}, {"lt": 2}, {"lte": 1}, {"ne": 2}]
    return st.sampled_from(some)


@st.composite
def counts(draw: st.DrawFn, leaves: Leaves) -> Table:
    return {**draw(event_part(leaves)), **draw(count_comparisons(leaves))}


@st.composite
def distincts(draw: st.DrawFn, leaves: Leaves) -> Table:
    over = draw(st.sampled_from(list(leaves.language.distinct)))
    if over == "property":
        over = draw(st.sampled_from(["kind", "n", "deep.x"]))
    lengths = DAYS if over == "@day" else HOURS
    table = {**draw(event_part(leaves, lengths)), "distinct": over}
    return {**table, **draw(distinct_comparisons(leaves, table))}


def distinct_comparisons(leaves: Leaves, table: Table) -> Strategy[Table]:
    options = [count_comparisons(leaves)]
    spans = {"@day": "2d", "@hour": "2h", "@minute": "2m"}
    if "duration" in leaves.language.thresholds and table["distinct"] in spans:
        options.append(st.just({"gte": spans[table["distinct"]]}))
    countable = isinstance(table["event"], list | dict)
    if "all" in leaves.language.thresholds and table["distinct"] == "@event" and countable:
        options.append(st.just({"gte": "all"}))
    return st.one_of(options)


def sum_comparisons(leaves: Leaves) -> Strategy[Table]:
    some: list[Table] = [{"gte": 0.3}, {"gt": 0.3}, {"gte": 3}, {"eq": 1}, {"between": [1, 2]}]
    some += [{"lt": 0.3}, {"eq": 0}] if leaves.absence else []
    return st.sampled_from(some)


@st.composite
def sums(draw: st.DrawFn, leaves: Leaves) -> Table:
    return {**draw(event_part(leaves)), "sum": "n", **draw(sum_comparisons(leaves))}


@st.composite
def extremes(draw: st.DrawFn, leaves: Leaves, measure: str) -> Table:
    some: list[Table] = [{"gte": 3}, {"lt": 1}, {"eq": 2}, {"between": [1, 2]}]
    some += [{"gt": 2, "or_missing": True}, {"lte": 0, "or_missing": True}]
    return {**draw(event_part(leaves)), measure: "n", **draw(st.sampled_from(some))}


@st.composite
def latest(draw: st.DrawFn, leaves: Leaves) -> Table:
    some: list[Table] = [{"last": "n", "gte": 2}, {"last": "n", "eq": 1}, {"last": "n", "lt": 1}]
    some += [{"last": "kind", "eq": "a"}, {"last": "kind", "ne": "a"}]
    some += [{"last": "n", "exists": False}, {"last": "due", "gt": "2026-03-27"}]
    if "ratio" in leaves.language.thresholds:
        some += [{"last": "n", "gte": {"ratio": 0.5, "of_trait": "limit"}}]
    return {**draw(event_part(leaves)), **draw(st.sampled_from(some))}


@st.composite
def metrics(draw: st.DrawFn, leaves: Leaves) -> Table:
    name = draw(st.sampled_from([metric["name"] for metric in METRICS]))
    compare = sum_comparisons(leaves) if name in SUMS else count_comparisons(leaves)
    table: Table = {"metric": name, **draw(windows(leaves, HOURS)), **draw(compare)}
    if "where" in leaves.language.options and draw(st.integers(0, 2)) == 0:
        table["where"] = draw(where())
    return table


def trait_comparisons(leaves: Leaves) -> list[Table]:
    some: list[Table] = [
        {"trait": "plan", "eq": "free"},
        {"trait": "plan", "ne": "free"},
        {"trait": "plan", "ne": "pro", "or_missing": True},
        {"trait": "plan", "in": ["free", "pro"]},
        {"trait": "plan", "not_in": ["pro"]},
        {"trait": "plan", "exists": False},
        {"trait": "employees", "gte": 50},
        {"trait": "employees", "eq": 50},
        {"trait": "employees", "eq": "50"},
        {"trait": "employees", "between": [10, 50]},
        {"trait": "email", "ends_with": "@free.example"},
        {"trait": "email", "contains": "@"},
        {"trait": "@email_domain", "eq": "gmail.com"},
        {"trait": "@email_domain", "ne": "ourcompany.example"},
        {"trait": "@email_domain", "ends_with": [".example", ".com"]},
        {"trait": "@email_domain", "exists": False},
        {"trait": "started", "lt": "2026-03-28"},
        {"trait": "started", "gte": "2026-03-27T06:00:00Z", "or_missing": True},
        {"trait": "is_employee", "exists": True},
        {"trait": "is_employee", "eq": True},
    ]
    if "ratio" in leaves.language.thresholds:
        some.append({"trait": "employees", "lt": {"ratio": 10, "of_trait": "limit"}})
    return some


@st.composite
def trait_leaves(draw: st.DrawFn, leaves: Leaves) -> Table:
    table = dict(draw(st.sampled_from(trait_comparisons(leaves))))
    of_account = "account." in leaves.language.options and leaves.subject == "user"
    if of_account and not leaves.inside_users and draw(st.booleans()):
        table["trait"] = "account." + table["trait"]
    return table


@st.composite
def users_leaves(draw: st.DrawFn, leaves: Leaves) -> Table:
    inner = Leaves(leaves.language, "user", leaves.earlier, leaves.absence, inside_users=True)
    compare: list[Table] = [{}, {"gte": 2}, {"gt": 1}, {"eq": 1}]
    compare += [{"lt": 2}] if leaves.absence else []
    return {"users": draw(any_leaf(inner)), **draw(st.sampled_from(compare))}


@st.composite
def sequences(draw: st.DrawFn, leaves: Leaves) -> Table:
    steps = draw(st.lists(event_names(leaves.language), min_size=2, max_size=3))
    table: Table = {"sequence": steps, **draw(windows(leaves, HOURS))}
    if "where" in leaves.language.options and draw(st.integers(0, 2)) == 0:
        table["where"] = draw(where())
    return table


@st.composite
def growths(draw: st.DrawFn, leaves: Leaves) -> Table:
    table: Table = {
        "event": draw(event_names(leaves.language)),
        "growth": draw(st.sampled_from([1, 1.5, 2.0])),
        "over": draw(st.sampled_from(HOURS)),
    }
    if draw(st.booleans()):
        table["base"] = draw(st.sampled_from([1, 2]))
    if "where" in leaves.language.options and draw(st.integers(0, 2)) == 0:
        table["where"] = draw(where())
    return table


@st.composite
def points(draw: st.DrawFn, leaves: Leaves) -> Table:
    add = draw(st.sampled_from([5, 10, 2.5, -5]))
    if draw(st.integers(0, 2)) == 0:
        return {**draw(trait_leaves(leaves)), "add": add}
    table: Table = {"event": draw(event_names(leaves.language)), "add": add}
    if draw(st.booleans()):
        table["cap"] = draw(st.sampled_from([5, 15]))
    if "where" in leaves.language.options and draw(st.integers(0, 2)) == 0:
        table["where"] = draw(where())
    return table


@st.composite
def scores(draw: st.DrawFn, leaves: Leaves) -> Table:
    compare: list[Table] = [{"gte": 10}, {"gt": 10}, {"gte": 7.5}, {"between": [5, 20]}]
    compare += [{"lt": 5}] if leaves.absence else []
    table: Table = {
        "score": draw(st.sampled_from(compare)),
        "points": draw(st.lists(points(leaves), min_size=1, max_size=3)),
        **draw(windows(leaves, HOURS)),
    }
    if draw(st.booleans()):
        table["half_life"] = draw(st.sampled_from(["6h", "1d"]))
    return table


def pql_leaves(leaves: Leaves) -> Strategy[Table]:
    return st.sampled_from([{"pql": name} for name in leaves.named()])


MEASURES: dict[str, Callable[[Leaves], Strategy[Table]]] = {
    "count": counts,
    "distinct": distincts,
    "sum": sums,
    "min": lambda leaves: extremes(leaves, "min"),
    "max": lambda leaves: extremes(leaves, "max"),
    "last": latest,
    "metric": metrics,
    "trait": trait_leaves,
    "users": users_leaves,
    "sequence": sequences,
    "growth": growths,
    "score": scores,
    "pql": pql_leaves,
}
