"""What the account lists of partners need of a store; ``ports`` documents the methods."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...model import account_key, id_of
from ...ports import ListedAccount, OpenLead
from ..encoding import escape, unescape
from ..session import Insertion, Session

_LIST = """
SELECT entry, domain, added_at FROM partner_account
WHERE partner = :partner AND removed_at IS NULL ORDER BY entry
"""

_LISTING = """
SELECT partner FROM partner_account WHERE entry = :account AND removed_at IS NULL
UNION
SELECT partner FROM partner_account WHERE domain = :domain AND removed_at IS NULL
"""

_OPEN = "state IN ('new', 'assigned', 'contacted')"

_OPEN_OF_USERS = f"SELECT account, id, partner FROM lead WHERE account = ANY(:ids) AND {_OPEN}"

_OPEN_OF_ACCOUNTS = f"SELECT subject, id, partner FROM lead WHERE subject = ANY(:ids) AND {_OPEN}"

_ADD = Insertion(
    "partner_account",
    ("partner", "entry", "domain", "added_at"),
    "ON CONFLICT (partner, entry, added_at) DO UPDATE SET removed_at = NULL",
)

_END = """
UPDATE partner_account SET removed_at = :at
WHERE partner = :partner AND entry = ANY(:entries) AND removed_at IS NULL
"""


class AccountListReads:
    """The methods of a read transaction."""

    _session: Session

    def account_list(self, partner: str) -> list[ListedAccount]:
        found = self._session.run(_LIST, partner=escape(partner))
        return [ListedAccount(unescape(entry), unescape(d), int(at)) for entry, d, at in found]

    def partners_listing(self, account: str, domain: str | None) -> list[str]:
        values = {"account": escape(account), "domain": escape(domain)}
        return sorted(unescape(partner) for (partner,) in self._session.run(_LISTING, **values))

    def open_leads_of_accounts(self, accounts: Collection[str]) -> list[OpenLead]:
        if not accounts:
            return []
        run = self._session.run
        of_users = run(_OPEN_OF_USERS, ids=sorted(map(escape, accounts)))
        keys = sorted(escape(account_key(each)) for each in accounts)
        own = run(_OPEN_OF_ACCOUNTS, ids=keys)
        found = [OpenLead(unescape(of), id_, unescape(who)) for of, id_, who in of_users]
        return found + [OpenLead(id_of(unescape(of)), id_, unescape(who)) for of, id_, who in own]


class AccountListWrites:
    """The methods of a write transaction."""

    _session: Session

    def add_to_account_list(self, partner: str, listed: Sequence[ListedAccount]) -> None:
        added = [(escape(partner), escape(e), escape(d), at) for e, d, at in listed]
        self._session.insert(_ADD, sorted(added, key=lambda row: row[:2]))

    def end_in_account_list(self, partner: str, entries: Collection[str], at: int) -> None:
        gone = sorted(map(escape, entries))
        if gone:
            self._session.run(_END, partner=escape(partner), entries=gone, at=at)
