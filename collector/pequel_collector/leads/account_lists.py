"""The account list of a partner: replaced as a whole, while what was on it before stays known.

Routes read the list when they decide, and the decision is stored with the lead. So another list
moves no lead that was routed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..errors import BadRequest
from ..ports import AuditEntry, By, ListedAccount, WriteTransaction
from ..rules.language.account_lists import MAX_ENTRIES, MAX_ENTRY, domain_in


class ListChange(NamedTuple):
    """How many entries a list has now, and how many came and went."""

    partner: str
    listed: int
    added: int
    removed: int


def entries_in(texts: Iterable[str]) -> list[str]:
    """The entries of a list: each once, without blanks around it. Raises BadRequest."""
    found = list(dict.fromkeys(text.strip() for text in texts))
    for number, entry in enumerate(found):
        if not entry or len(entry) > MAX_ENTRY or not entry.isprintable():
            raise _mistake(
                f"accounts[{number}]",
                ascii(entry[:100]),
                f"an account id or a domain of 1 to {MAX_ENTRY} printable characters",
            )
    if len(found) > MAX_ENTRIES:
        raise _mistake("accounts", f"{len(found):,}", f"at most {MAX_ENTRIES:,} accounts")
    return found


def replace_list(
    tx: WriteTransaction, partner: str, entries: Iterable[str], now: int, by: By
) -> ListChange:
    """Make ``entries``, as ``entries_in`` returns them, the account list of a partner."""
    wanted, listed = set(entries), {each.entry for each in tx.account_list(partner)}
    added, gone = sorted(wanted - listed), listed - wanted
    tx.end_in_account_list(partner, gone, now)
    tx.add_to_account_list(partner, [ListedAccount(e, domain_in(e), now) for e in added])
    change = ListChange(partner, len(wanted), len(added), len(gone))
    tx.add_audit(AuditEntry(now, "accounts_mapped", by, change._asdict()))
    return change


def _mistake(field: str, found: str, expected: str) -> BadRequest:
    message = f"{field}: found {found}, expected {expected}"
    return BadRequest(message, "bad_field", field=field, found=found, expected=expected)
