"""RequestScope to a collector: who is a product-qualified lead, and why, and who is nearly one.

    reader = pequel.Reader("read key", "http://127.0.0.1:8321")
    if reader.pql("u1")["is_pql"]:
        offer_a_call()

Unlike a client, a reader waits for answers and raises what went wrong.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from pequel import argument_checks, config
from pequel.errors import ConfigError, ReaderError
from pequel.messages.compose import InvalidMessageError, identifier
from pequel.messages.encode import encode
from pequel.reading.http import ApiClient
from pequel.reading.replies import UNEXPECTED, part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from types import TracebackType
    from typing import TypeAlias

    import requests

    from pequel.answers import Lead, PqlStatus, Progress
    from pequel.clock import Clock
    from pequel.messages.compose import Id

    Time: TypeAlias = datetime | str

BAD_ID = "bad_id"


class Reader:
    """Asks a collector about leads.

    May be shared by threads, and by the processes of a fork: each process has connections of its
    own. Used as a context manager, it is closed at the end.
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
        """Make a reader; nothing is asked yet.

        Args:
            read_key: a key that may read; from PEQUEL_READ_KEY if it is not given.
            host: where the collector is; from PEQUEL_HOST, and else this machine.
            timeout: seconds to wait for a connection, and then for an answer, at each try.
            max_retries: times to ask again when there is no answer, or the collector says that
                it cannot answer now.
            max_retry_wait: seconds between two tries, at most. A collector that asks to wait for
                longer is not asked again.
            session: asks in place of a session of the reader's own, which it never closes.
                Sharing the reader among threads is then up to it.
            clock: tells the time and waits, in place of the system's.
            jitter: draws numbers from 0 to 1 that spread the tries.

        Raises:
            ConfigError: there is no key, or it or a setting cannot have this value.
        """
        address = {"host": host} if host else config.from_environment(os.environ, {"host"})
        settings = {
            "timeout": timeout,
            "max_retries": max_retries,
            "max_retry_wait": max_retry_wait,
        }
        argument_checks.check_readers(session=session, jitter=jitter)
        options = config.checked({**settings, **address})
        self._inquiry = ApiClient(options, _key(read_key), session, clock, jitter)

    def __enter__(self) -> Reader:  # noqa: PYI034 - typing has no Self on Python 3.10
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections of this process; a later question opens new ones."""
        self._inquiry.close()

    def pql(self, user_id: Id) -> PqlStatus:
        """Whether a user is a PQL: the leads, and how far from those there could be.

        Raises:
            NotFoundError: the collector has never seen this user.
            UnauthorizedError: the key may not read.
            UnavailableError: the collector could not be reached, or could not answer now.
            ReaderError: anything else; all of the above are such.
        """
        return self._status("users", user_id)

    def account_pql(self, account_id: Id) -> PqlStatus:
        """The same of an account."""
        return self._status("accounts", account_id)

    def progress(self, user_id: Id) -> list[Progress]:
        """How far a user is from each definition that they have no lead of. Raises as `pql`."""
        found: list[Progress] = part(self.pql(user_id), "progress", list)
        return found

    def pqls(
        self,
        *,
        definition: str | None = None,
        subject_kind: str | None = None,
        state: str | None = None,
        kind: str | None = None,
        owner: str | None = None,
        country: str | None = None,
        plan: str | None = None,
        account: Id | None = None,
        qualified_from: Time | None = None,
        qualified_to: Time | None = None,
        marked_after: Time | None = None,
        page_size: int = 100,
    ) -> Iterator[Lead]:
        """Every lead that the filters let through: high priority first, then the latest mark.

        The pages are asked for one by one as the leads are taken; so it is then that an error is
        raised, as by `pql`. A filter that the collector does not take is a ReaderError with the
        code `bad_parameter`.

        Args:
            definition: of this definition.
            subject_kind: of a "user", or of an "account".
            state: in this state, such as "new". Voided leads come only if asked for.
            kind: of this kind, such as "upgrade".
            owner: with this owner.
            country: whose subject has this trait now.
            plan: whose subject has this trait now.
            account: of this account, or of a user who was in it.
            qualified_from: that qualified from this time on; a datetime without a zone is UTC.
            qualified_to: that qualified before this time.
            marked_after: that were marked after this time.
            page_size: leads to ask for at once, up to 1000.
        """
        filters = {
            "definition": definition,
            "subject_kind": subject_kind,
            "state": state,
            "kind": kind,
            "owner": owner,
            "country": country,
            "plan": plan,
            "account": account,
            "qualified_from": qualified_from,
            "qualified_to": qualified_to,
            "marked_after": marked_after,
            "limit": page_size,
        }
        return self._leads({n: _text(v) for n, v in filters.items() if v is not None})

    def _leads(self, parameters: dict[str, str]) -> Iterator[Lead]:
        cursors: set[str] = set()
        while True:
            page = self._inquiry.ask("/v1/pqls", parameters)
            yield from part(page, "data", list)
            if page.get("next_cursor") is None:
                return
            cursor = part(page, "next_cursor", str)
            if cursor in cursors:
                raise ReaderError(UNEXPECTED, "the pages repeat; is it the right host?")
            cursors.add(cursor)
            parameters = {**parameters, "cursor": cursor}

    def _status(self, kind: str, identity: Id) -> PqlStatus:
        answer = self._inquiry.ask(f"/v1/{kind}/{_in_a_path(identity)}/pql")
        part(answer, "is_pql", bool)
        return cast("PqlStatus", answer)


def _key(given: object) -> str:
    """The key that is given, else that of the environment. Raises ConfigError without one."""
    called, key = "read_key", given
    if not key:
        called, key = "PEQUEL_READ_KEY", os.environ.get("PEQUEL_READ_KEY", "")
    if not isinstance(key, str) or not key.strip():
        raise ConfigError("a reader needs a key: give read_key, or set PEQUEL_READ_KEY")
    return config.check_key(called, key.strip())


def _in_a_path(identity: Id) -> str:
    """An id as a part of a path, whatever is in it. Raises ReaderError where it is none."""
    try:
        text = identifier("id", identity)
    except InvalidMessageError as error:
        raise ReaderError(BAD_ID, error.detail) from error
    if text is None:
        raise ReaderError(BAD_ID, "a blank id is no id")
    return quote(_text(text), safe="").replace(".", "%2E")


def _text(value: object) -> str:
    """A value as events carry it, as text."""
    return str(json.loads(encode(value)))
