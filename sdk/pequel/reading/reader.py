"""The `Reader`: asks a collector who is a product-qualified lead, and why.

    reader = pequel.Reader("read key", "http://127.0.0.1:8321")
    if reader.pql("u1")["is_pql"]:
        offer_a_call()

Unlike a client, a reader waits for answers and raises errors.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from pequel import argument_checks, config
from pequel.errors import ConfigError, ReaderError
from pequel.messages.compose import InvalidMessageError, identifier
from pequel.messages.encode import encode
from pequel.reading.http import UNEXPECTED, ApiClient, member

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from typing import TypeAlias

    import requests

    from pequel.answers import (
        Account,
        Adopter,
        Backtest,
        Definition,
        Lead,
        ListedSubject,
        Metric,
        MetricAbout,
        MetricMember,
        NearSubject,
        Person,
        PqlStatus,
        Progress,
        Step,
        Suggestions,
        TimelineEvent,
        User,
    )
    from pequel.clock import Clock
    from pequel.messages.compose import Id

    Time: TypeAlias = datetime | str

BAD_ID = "bad_id"


class Reader:
    """Asks a collector about leads.

    Threads may share a reader, and so may the processes of a fork: each process has connections of
    its own. Used as a context manager, the reader is closed at the end.
    """

    def __init__(
        self,
        read_key: str | None = None,
        host: str | None = None,
        *,
        timeout: float = 10.0,
        max_retries: int = 2,
        max_retry_wait: float = 5.0,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        """Make a reader; it sends no request yet.

        Args:
            read_key: a key that may read; PEQUEL_READ_KEY if not given.
            host: address of the collector; PEQUEL_HOST if not given, and else this machine.
            timeout: seconds to wait for a connection, and then for an answer, in each try.
            max_retries: further tries if there is no answer, or the collector cannot answer now.
            max_retry_wait: the longest wait between two tries, in seconds. If the collector asks
                for a longer one, there is no further try.
            session: your own `requests.Session`. The reader never closes it; whether threads may
                share the reader then depends on the session.
            clock: replaces the system's clock.
            jitter: returns random numbers from 0 to 1, which spread the retries.

        Raises:
            ConfigError: there is no key, or the key or a setting has a wrong value.
        """
        address = {"host": host} if host else config.from_environment(os.environ, {"host"})
        settings = {
            "timeout": timeout,
            "max_retries": max_retries,
            "max_retry_wait": max_retry_wait,
        }
        argument_checks.check_for_reader(session=session, jitter=jitter)
        options = config.checked({**settings, **address})
        self._api = ApiClient(options, self._key(read_key), session, clock, jitter)

    def __enter__(self) -> Reader:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; a later call opens new ones."""
        self._api.close()

    def pql(self, user_id: Id) -> PqlStatus:
        """Whether a user is a PQL, its leads, and its progress to further ones.

        Raises:
            NotFoundError: the collector has never seen this user.
            UnauthorizedError: the key may not read.
            UnavailableError: the collector could not be reached, or could not answer now.
            ReaderError: anything else. The errors above are subclasses.
        """
        return self._status("users", user_id)

    def account_pql(self, account_id: Id) -> PqlStatus:
        """The same for an account."""
        return self._status("accounts", account_id)

    def progress(self, user_id: Id) -> list[Progress]:
        """How far a user is from each definition without a lead. Raises as `pql`."""
        found: list[Progress] = member(self.pql(user_id), "progress", list)
        return found

    def pqls(
        self,
        *,
        definition: str | None = None,
        subject_kind: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        owner: str | None = None,
        partner: str | None = None,
        country: str | None = None,
        plan: str | None = None,
        account: Id | None = None,
        overdue: bool | None = None,
        snoozed: bool | None = None,
        qualified_from: Time | None = None,
        qualified_to: Time | None = None,
        marked_after: Time | None = None,
        q: str | None = None,
        traits: Mapping[str, object] | None = None,
        holds_now: bool | None = None,
        version: int | None = None,
        sort: str | None = None,
        page_size: int = 100,
    ) -> Iterator[Lead]:
        """Every lead that matches the filters: high priority first, then the latest mark.

        Each page is requested when the iteration reaches it, and raises the errors of `pql` then.
        A filter that the collector does not accept is a ReaderError with the code `bad_parameter`.

        Args:
            definition: leads of this definition.
            subject_kind: leads of a "user", or of an "account".
            state: leads in this state, such as "won". The default is "open": new, assigned or
                contacted. "any" is every state but "voided".
            kind: leads of this kind, such as "upgrade".
            owner: leads with this owner.
            partner: leads of this partner.
            country: leads whose subject now has this trait.
            plan: leads whose subject now has this trait.
            account: leads of this account, or of a user who was in it.
            overdue: leads that nobody contacted in time; with False, the others.
            snoozed: leads that are snoozed now; with False, the others.
            qualified_from: qualified at this time or later; a datetime without a zone is UTC.
            qualified_to: qualified before this time.
            marked_after: marked after this time.
            q: leads whose id, e-mail address, name or account has a word that begins with this.
            traits: leads whose subject now has these traits, by name.
            holds_now: leads whose definition is met now, or is not.
            version: leads of this version of their definition.
            sort: "priority", "qualified_at", "-qualified_at", "marked_at", "-marked_at" or
                "due_at". With a minus sign the latest come first. "likelihood" needs a model
                in the collector.
            page_size: leads in one request, up to 1000.
        """
        filters = {**locals(), "limit": page_size}
        del filters["self"], filters["page_size"], filters["traits"]
        filters |= {f"trait.{name}": value for name, value in (traits or {}).items()}
        return self._pages("/v1/pqls", _parameters(**filters))

    def user(self, user_id: Id) -> User:
        """What is known about a user: traits, counts of events, ids, leads. Raises as `pql`."""
        answer = self._api.get(_path("users", user_id))
        member(answer, "traits", dict)
        return cast("User", answer)

    def account(self, account_id: Id) -> Account:
        """The same for an account."""
        answer = self._api.get(_path("accounts", account_id))
        member(answer, "traits", dict)
        return cast("Account", answer)

    def timeline(self, user_id: Id, *, page_size: int = 100) -> Iterator[TimelineEvent]:
        """Every call about a user, latest first.

        Each page is requested when the iteration reaches it, and raises the errors of `pql` then.
        """
        return self._pages(_path("users", user_id, "/timeline"), {"limit": str(page_size)})

    def account_timeline(self, account_id: Id, *, page_size: int = 100) -> Iterator[TimelineEvent]:
        """The same for an account."""
        return self._pages(_path("accounts", account_id, "/timeline"), {"limit": str(page_size)})

    def users(self, *, q: str | None = None, page_size: int = 100) -> Iterator[ListedSubject]:
        """Users, those seen last first; with `q`, those that it finds, in alphabetical order.

        Each page is requested when the iteration reaches it, and raises the errors of `pql` then.

        Args:
            q: users whose id, e-mail address or name begins with this text, in any case.
            page_size: users in one request, up to 100.
        """
        return self._pages("/v1/users", _parameters(q=q, limit=page_size))

    def accounts(self, *, q: str | None = None, page_size: int = 100) -> Iterator[ListedSubject]:
        """The same for accounts."""
        return self._pages("/v1/accounts", _parameters(q=q, limit=page_size))

    def people(self, account_id: Id, *, page_size: int = 100) -> Iterator[Person]:
        """The users of an account, most engaged first. Pages and errors are as for `users`."""
        path = _path("accounts", account_id, "/people")
        return self._pages(path, {"limit": str(page_size)})

    def path(self, user_id: Id) -> list[Step]:
        """The first time of each key action of a user, and what came of it. Raises as `pql`."""
        found: list[Step] = member(self._api.get(_path("users", user_id, "/path")), "steps", list)
        return found

    def near(
        self, definition: str, *, sort: str | None = None, page_size: int = 100
    ) -> Iterator[NearSubject]:
        """Who is near a definition, without a lead of it. Pages and errors are as for `users`.

        The nearest of the few hundred who were seen last come first, then the nearest of the next
        few hundred, and so on. With `sort="likelihood"` they are in the order of how likely they
        are to convert; this needs a model in the collector.
        """
        given = _parameters(definition=definition, sort=sort, limit=page_size)
        return self._pages("/v1/near", given)

    def adoption(
        self,
        feature: str,
        *,
        used: bool | None = None,
        plan: str | None = None,
        min_age: str | None = None,
        max_age: str | None = None,
        page_size: int = 100,
    ) -> Iterator[Adopter]:
        """Users by a feature, those seen last first. Pages and errors are as for `users`.

        Args:
            feature: a feature of the definitions file, or the name of an event.
            used: only those who have used it, or only those who have not.
            plan: users whose trait `plan` has this value now.
            min_age: users who signed up at least so long ago, such as "7d".
            max_age: users who signed up less than so long ago.
            page_size: users in one request, up to 100.
        """
        filters = _parameters(
            feature=feature, used=used, plan=plan, min_age=min_age, max_age=max_age, limit=page_size
        )
        return self._pages("/v1/adoption", filters)

    def definitions(self) -> list[Definition]:
        """The definitions in force."""
        found: list[Definition] = member(self._api.get("/v1/definitions"), "data", list)
        return found

    def backtest(
        self,
        definition: str | None = None,
        *,
        toml: str | None = None,
        landmark: str | None = None,
        horizon: str | None = None,
        population: str | None = None,
        end: Time | None = None,
        capacity: int | None = None,
    ) -> Backtest:
        """Whether a definition finds those who convert. Raises as `pql`.

        Args:
            definition: the name of a definition in force, or of one in `toml`.
            toml: the text of a definitions file.
            landmark: how long after sign-up a subject may qualify, such as "7d", the default.
            horizon: how long after that a conversion counts, such as "30d", the default.
            population: who is looked at: "signup", the default, or "trait:NAME=VALUE".
            end: the end of the data; the time of the newest message if not given.
            capacity: how many leads a week your team can work.
        """
        asked = {**locals()}
        del asked["self"]
        asked["end"] = None if end is None else wire_text(end)
        fields = {name: value for name, value in asked.items() if value is not None}
        answer = self._api.ask("/v1/definitions/backtest", fields)
        member(answer, "strict", dict)
        return cast("Backtest", answer)

    def metrics(self) -> list[MetricAbout]:
        """What each metric says, and what one may ask of it."""
        found: list[MetricAbout] = member(self._api.get("/v1/metrics"), "data", list)
        return found

    def metric(
        self,
        name: str,
        *,
        from_: Time | None = None,
        to: Time | None = None,
        horizon: str | None = None,
        definition: str | None = None,
        by: str | None = None,
    ) -> Metric:
        """The figure of a metric. Raises as `pql`; NotFoundError if there is no such metric.

        Args:
            name: the metric, such as "signup_to_pql".
            from_: the begin of the period; a datetime without a zone is UTC. All of the past
                if not given, or what the metric says.
            to: the end of the period, which is not included; now if not given.
            horizon: how long somebody has to arrive, such as "30d".
            definition: leads of this definition only.
            by: a segment: "channel", "plan", "country", "trait.NAME", "definition", "partner" or
                "owner".
        """
        asked = _parameters(to=to, horizon=horizon, definition=definition, by=by)
        asked |= _parameters(**{"from": from_})
        return cast("Metric", self._api.get(f"/v1/metrics/{_segment(name)}", asked))

    def metric_view(
        self,
        role: str,
        *,
        from_: Time | None = None,
        to: Time | None = None,
        definition: str | None = None,
        by: str | None = None,
    ) -> list[Metric]:
        """The figures of a role, such as "sales". Each takes of the question what it can have."""
        asked = _parameters(to=to, definition=definition, by=by) | _parameters(**{"from": from_})
        answer = self._api.get(f"/v1/metrics/views/{_segment(role)}", asked)
        found: list[Metric] = member(answer, "data", list)
        return found

    def metric_members(
        self,
        name: str,
        *,
        standing: str | None = None,
        from_: Time | None = None,
        to: Time | None = None,
        horizon: str | None = None,
        definition: str | None = None,
        page_size: int = 100,
    ) -> Iterator[MetricMember]:
        """Who counts as what in a metric. Pages and errors are as for `users`.

        Args:
            name: a metric of people or leads.
            standing: only those "in" the numerator, "out" of it, or "immature".
            from_: as for `metric`.
            to: as for `metric`.
            horizon: as for `metric`.
            definition: as for `metric`.
            page_size: members in one request, up to 1000.
        """
        asked = _parameters(
            standing=standing, to=to, horizon=horizon, definition=definition, limit=page_size
        )
        asked |= _parameters(**{"from": from_})
        return self._pages(f"/v1/metrics/{_segment(name)}/members", asked)

    def suggest(
        self,
        *,
        landmark: str | None = None,
        horizon: str | None = None,
        subject: str | None = None,
        level: float | None = None,
        end: Time | None = None,
    ) -> Suggestions:
        """Definitions that precede conversion, and what each event says of it. Raises as `pql`.

        Args:
            landmark: how long after sign-up a subject is looked at, such as "7d", the default.
            horizon: how long after that a conversion counts, such as "30d", the default.
            subject: "user", the default, or "account".
            level: how often a search of data without any connection may suggest something.
            end: the end of the data; the time of the newest message if not given.
        """
        asked = {**locals()}
        del asked["self"]
        asked["end"] = None if end is None else wire_text(end)
        fields = {name: value for name, value in asked.items() if value is not None}
        answer = self._api.ask("/v1/definitions/suggest", fields)
        member(answer, "suggestions", list)
        return cast("Suggestions", answer)

    @staticmethod
    def _key(given: object) -> str:
        return key_of("read_key", given, "a reader")

    def _pages(self, path: str, parameters: dict[str, str]) -> Iterator[Any]:
        cursors: set[str] = set()
        while True:
            page = self._api.get(path, parameters)
            yield from member(page, "data", list)
            if page.get("next_cursor") is None:
                return
            cursor = member(page, "next_cursor", str)
            if cursor in cursors:
                raise ReaderError(UNEXPECTED, "the pages repeat; check the host")
            cursors.add(cursor)
            parameters = {**parameters, "cursor": cursor}

    def _status(self, kind: str, identity: Id) -> PqlStatus:
        answer = self._api.get(_path(kind, identity, "/pql"))
        member(answer, "is_pql", bool)
        return cast("PqlStatus", answer)


def key_of(argument: str, given: object, whose: str) -> str:
    """The key of an argument, else of its variable in the environment. Raises ConfigError."""
    variable = f"PEQUEL_{argument.upper()}"
    called, key = argument, given
    if not key:
        called, key = variable, os.environ.get(variable, "")
    if not isinstance(key, str) or not key.strip():
        raise ConfigError(f"{whose} needs a key: pass {argument}, or set {variable}")
    return config.check_kind_of_key(called, key.strip(), config.WRITE_KEY)


def _path(kind: str, identity: Id, end: str = "") -> str:
    """The path of a user or an account. Raises ReaderError if it is not an id."""
    try:
        text = identifier("id", identity)
    except InvalidMessageError as error:
        raise ReaderError(BAD_ID, error.detail) from error
    if text is None:
        raise ReaderError(BAD_ID, "the id is blank")
    return f"/v1/{kind}/{quote(wire_text(text), safe='').replace('.', '%2E')}{end}"


def _segment(name: object) -> str:
    """A name as a part of a path. Raises ReaderError if it is blank."""
    if not isinstance(name, str) or not name.strip():
        raise ReaderError(BAD_ID, "the name is blank")
    return quote(wire_text(name), safe="").replace(".", "%2E")


def _parameters(**given: object) -> dict[str, str]:
    """The parameters of a query that are set, as text."""
    return {name: wire_text(value) for name, value in given.items() if value is not None}


def wire_text(value: object) -> str:
    """The text of a value as an event would hold it."""
    found = json.loads(encode(value))
    return str(found).lower() if isinstance(found, bool) else str(found)
