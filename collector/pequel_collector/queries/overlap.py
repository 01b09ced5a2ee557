"""The overlap of the account list of a partner and our accounts: account mapping.

Staff see each account and what it is to us. The partner sees counts, in whole fives and without
small ones, and by name only accounts of which it holds a lead: it lists whom it likes, and would
else learn which of them are our customers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from ..insights.metrics.catch_up import require_current
from ..insights.metrics.roles import Roles
from ..marking.evaluators import Evaluators
from ..model import account_key, id_of
from ..ports import ListedAccount, OpenLead, ReadTransaction, Store
from ..rules.language.account_lists import DOMAIN, domain_of_account
from .cursors import decode_hit, encode, list_id
from .masking import masked
from .metrics import STEPS
from .partners import SMALLEST_GROUP

State = Literal["customer", "lead", "trial", "none"]

AT_ONCE = 500
"""Accounts that are read at once."""


class MappedAccount(NamedTuple):
    """An account of ours that is on a list: by which entry, what it is to us, its open leads."""

    entry: str
    account: str
    state: State
    leads: Sequence[str]


class AccountsByState(NamedTuple):
    """How many accounts are in each state."""

    customer: int = 0
    lead: int = 0
    trial: int = 0
    none: int = 0


class Overlap(NamedTuple):
    """How many entries a list has, how many are accounts of ours, and what these are to us."""

    partner: str
    listed: int
    known: int
    by_state: AccountsByState
    data: Sequence[MappedAccount]
    next_cursor: str | None


class Overlaps:
    """The question about the overlap, over one store.

    Who is a customer and who has a trial is known from what metrics count. ``steps`` bounds how
    much of that one question counts first; None counts all.
    """

    def __init__(
        self,
        store: Store,
        evaluators_in: Callable[[ReadTransaction], Evaluators],
        steps: int | None = STEPS,
    ) -> None:
        self._store, self._evaluators_in, self._steps = store, evaluators_in, steps

    def overlap(
        self, partner: str, limit: int, cursor: str | None = None, *, for_partner: bool = False
    ) -> Overlap:
        """The overlap with the list of a partner, by account. Raises BadRequest or Unavailable."""
        of = list_id("overlap", partner, for_partner)
        after = decode_hit(of, cursor)
        with self._store.reading() as tx:
            roles = Roles.of(self._evaluators_in(tx).catalogue.project)
        require_current(self._store, roles, self._steps)
        with self._store.reading() as tx:
            listed = tx.account_list(partner)
            entries = sorted(_entries_of_accounts(tx, listed).items())
            own = partner if for_partner else None
            mapped = [
                each
                for start in range(0, len(entries), AT_ONCE)
                for each in _mapped(tx, dict(entries[start : start + AT_ONCE]), own)
            ]
        counts = Counter(each.state for each in mapped)
        shown = [each for each in mapped if not for_partner or each.leads]
        rest = [each for each in shown if after is None or each.account > after.subject]
        more = rest[limit - 1] if len(rest) > limit else None
        rounding = _in_fives if for_partner else int
        return Overlap(
            partner,
            len(listed),
            rounding(len(mapped)),
            AccountsByState(**{state: rounding(number) for state, number in counts.items()}),
            [_masked(each) if for_partner else each for each in rest[:limit]],
            more and encode(of, more.entry, more.account),
        )


def _entries_of_accounts(tx: ReadTransaction, listed: Sequence[ListedAccount]) -> dict[str, str]:
    """The entry of each account of ours that is on a list, by the id of the account."""
    by_domain = {each.domain: each.entry for each in listed if each.domain is not None}
    keys = {account_key(each.entry): each.entry for each in listed}
    found = {id_of(key): keys[key] for key in tx.first_seen(keys)}
    for key, values in tx.trait_values("account", {DOMAIN}):
        account = id_of(key)
        domain = domain_of_account(account, values[-1].value)
        if domain in by_domain:
            found.setdefault(account, by_domain[domain])
    return found


def _mapped(
    tx: ReadTransaction, entries: Mapping[str, str], own: str | None
) -> list[MappedAccount]:
    """What accounts are to us, given their entries. For a partner, its leads alone are named."""
    keys = {account_key(each): each for each in entries}
    reached = {keys[key]: each for key, each in tx.milestones(keys).items()}
    leads: dict[str, list[OpenLead]] = {}
    for lead in tx.open_leads_of_accounts(entries):
        leads.setdefault(lead.account, []).append(lead)
    found = []
    for account, entry in entries.items():
        milestone, of_account = reached.get(account), leads.get(account, [])
        named = [each.id for each in of_account if own in (None, each.partner)]
        is_customer = milestone is not None and milestone.conversion is not None
        is_trial = milestone is not None and milestone.trial is not None
        state = _state(is_customer, bool(of_account), is_trial)
        found.append(MappedAccount(entry, account, state, sorted(named)))
    return found


def _state(is_customer: bool, has_lead: bool, is_trial: bool) -> State:
    if is_customer:
        return "customer"
    if has_lead:
        return "lead"
    return "trial" if is_trial else "none"


def _in_fives(number: int) -> int:
    return number // SMALLEST_GROUP * SMALLEST_GROUP


def _masked(account: MappedAccount) -> MappedAccount:
    """An account of the partner's own lead, which may be unclaimed."""
    return account._replace(account=str(masked(account.account)), state="lead")
