"""Names of events and properties in English: ``project_created`` is *created a project*.

The rules know how names of events are formed: an object and a past participle, the other way
around, or a verb and an object. A name that follows none of them is *did* and its words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


NUMBER = "{n}"
"""Stands for how many in words for several."""

_TOKENS = re.compile(r"[^\W_]+")
_HUMPS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")

_ACRONYMS = _set("ai api cli crm csv html id ip json mfa pdf saml scim sdk sms sql sso ui url vat")
_IDS = frozenset({"id", "ids", "uuid", "guid"})

_PAST_OF = {
    "begun": "began", "broken": "broke", "chosen": "chose", "done": "did", "drawn": "drew",
    "driven": "drove", "given": "gave", "gone": "went", "gotten": "got", "hidden": "hid",
    "known": "knew", "run": "ran", "seen": "saw", "shown": "showed", "sung": "sang",
    "taken": "took", "written": "wrote",
}  # fmt: skip
_SAME_PAST = _set(
    "bought brought built caught cut found got held hit kept left lost made met paid put read "
    "said sent set sold spent taught told thought won"
)
_NO_PARTICIPLES = _set(
    "bed bleed breed embed exceed feed need proceed red seed shed speed succeed weed"
)
_PARTICLES = _set("back down in off on out over up")
_PREPOSITIONS = _set("at by for from into of to with")
_SELF = frozenset({"user", "visitor", "customer", "person", "member"})

_VERBS = _set(
    "accept activate add assign begin buy cancel click close comment complete configure connect "
    "create delete download edit enable export finish import install invite join like log open "
    "pay play publish purchase refund rename reply request save search select send set share sign "
    "start submit subscribe switch sync update upgrade upload use verify view visit watch"
)
_PAST_OF_BASE = {
    "begin": "began", "buy": "bought", "cancel": "canceled", "log": "logged", "pay": "paid",
    "send": "sent", "set": "set", "submit": "submitted",
}  # fmt: skip

_WHOLE = {
    "page": ("viewed a page", "viewed {n} pages", "page"),
    "screen": ("viewed a screen", "viewed {n} screens", "screen"),
    "login": ("logged in", "logged in {n} times", ""),
    "logout": ("logged out", "logged out {n} times", ""),
    "signup": ("signed up", "signed up {n} times", ""),
    "checkout": ("checked out", "checked out {n} times", ""),
}

_UNCOUNTED = _set(
    "access analytics content data documentation feedback help information mfa money music news "
    "progress saml scim sms software sso storage support time traffic usage work"
)
_WITH_THE = frozenset({"api", "app", "cli", "console", "crm", "dashboard", "product", "sdk", "ui"})
_OF_ITSELF = frozenset({"ended", "expired", "failed", "happened", "occurred"})
_SAME_PLURAL = frozenset({"series", "species", "people"})
_PLURALS = {"person": "people", "child": "children", "index": "indexes", "analysis": "analyses"}
_AN = re.compile(r"(?!uni|use|usa|eur|one)[aeiou]|hour|honest")
_AN_LETTERS = frozenset("AEFHILMNORSX")


class Action(NamedTuple):
    """What an event says that somebody did.

    ``once`` reads *created a project*, ``many`` *created {n} projects*. ``noun`` is what is
    counted, *project*; empty where only times are.
    """

    once: str
    many: str
    noun: str = ""

    def times(self, count: str) -> str:
        """Several such events, with the number as text."""
        return self.many.replace(NUMBER, count)

    @property
    def never(self) -> str:
        """Not one such event."""
        return f"never {self.once}" if self._counts_times else self.times("no")

    @property
    def usual(self) -> str:
        """Any number of such events: *created projects*."""
        return self.once if self._counts_times else self.many.replace(f"{NUMBER} ", "")

    @property
    def _counts_times(self) -> bool:
        return f"{NUMBER} " not in self.many or f"{NUMBER} times" in self.many


@lru_cache(maxsize=4_096)
def words_of(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case but for well-known acronyms."""
    parts = [part for token in _TOKENS.findall(name) for part in _parts(token)]
    return tuple(part.upper() if part in _ACRONYMS else part for part in parts)


def _parts(token: str) -> list[str]:
    """``projectCreated`` in two words; a token of other scripts is one."""
    found = _HUMPS.findall(token) if token.isascii() else [token]
    return [part.lower() for part in found]


def spoken(name: str) -> str:
    """A name as words; one that has none stands between quotes."""
    return " ".join(words_of(name)) or json.dumps(name.strip(), ensure_ascii=False)


def noun_of(name: str) -> str:
    """What the values of a property are: ``project_id`` names a *project*."""
    words = words_of(name)
    if len(words) > 1 and words[-1].lower() in _IDS:
        words = words[:-1]
    return " ".join(words) or spoken(name)


@lru_cache(maxsize=4_096)
def action_of(name: str) -> Action:
    """What somebody did who sent an event of this name."""
    words = words_of(name)
    whole = _WHOLE.get("".join(words).lower())
    if whole is not None:
        return Action(*whole)
    verb, object_ = _verb_and_object(words)
    if not verb:
        return _of_times(f"did {spoken(name)}")
    return _action(verb, object_)


def _verb_and_object(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The verb in the past tense and its object; no verb where there is none."""
    *first, last = words or ("",)
    if past := _past(last):
        return past, first
    if len(words) > 1 and last in _PARTICLES and (past := _past(words[-2])):
        object_ = words[:-2]
        return f"{past} {last}", () if _is_self(object_) else object_
    for tense in (_past, _past_of_base):
        if words and (past := tense(words[0])):
            rest = words[1:]
            if rest and rest[0] in _PARTICLES:
                return f"{past} {rest[0]}", rest[1:]
            return past, rest
    return "", ()


def _is_self(words: Sequence[str]) -> bool:
    return len(words) == 1 and words[0] in _SELF


def _past(word: str) -> str:
    """The past tense of a past participle; empty for another word."""
    if word in _PAST_OF:
        return _PAST_OF[word]
    regular = word.endswith("ed") and len(word) > 3 and word not in _NO_PARTICIPLES
    return word if regular or word in _SAME_PAST else ""


def _past_of_base(word: str) -> str:
    """The past tense of a well-known verb; empty for another word."""
    if word not in _VERBS:
        return ""
    if word in _PAST_OF_BASE:
        return _PAST_OF_BASE[word]
    if word.endswith("e"):
        return f"{word}d"
    return f"{word[:-1]}ied" if word[-1] == "y" and word[-2] not in "aeiou" else f"{word}ed"


def _action(verb: str, object_: Sequence[str]) -> Action:
    noun = " ".join(object_)
    if not noun:
        return _of_times(verb)
    if object_[0] in _PREPOSITIONS or not is_countable(noun):
        the = "the " if noun.lower() in _WITH_THE else ""
        return _of_times(f"{verb} {the}{noun}")
    one, several = with_article(noun), f"{NUMBER} {plural(noun)}"
    if verb in _OF_ITSELF:
        return Action(f"had {one} that {verb}", f"had {several} that {verb}", noun)
    return Action(f"{verb} {one}", f"{verb} {several}", noun)


def _of_times(once: str) -> Action:
    return Action(once, f"{once} {NUMBER} times")


# -- nouns ---------------------------------------------------------------------------------


def is_countable(noun: str) -> bool:
    """Whether there can be three of it."""
    last = noun.rsplit(maxsplit=1)[-1].lower()
    if last in _UNCOUNTED or last in _WITH_THE or (last.endswith("ing") and len(last) > 5):
        return False
    return not is_plural(noun)


def is_plural(noun: str) -> bool:
    """Whether a noun looks like several: *employees*, but not *status*."""
    last = noun.rsplit(maxsplit=1)[-1].lower()
    if last in _SAME_PLURAL or last in _PLURALS.values():
        return True
    return len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is"))


def plural(noun: str) -> str:
    """Several of it. What cannot be counted stays as it is."""
    if not is_countable(noun):
        return noun
    *first, last = noun.split()
    return " ".join((*first, _plural(last)))


def _plural(word: str) -> str:
    if word in _PLURALS:
        return _PLURALS[word]
    if word.isupper():
        return f"{word}s"
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return f"{word}es"
    if word.endswith("y") and word[-2:-1] not in ("a", "e", "i", "o", "u", ""):
        return f"{word[:-1]}ies"
    return f"{word}s"


def with_article(noun: str) -> str:
    """The noun after *a* or *an*, as it is spoken."""
    first = noun.split(maxsplit=1)[0]
    is_an = first[0] in _AN_LETTERS if first.isupper() else bool(_AN.match(first))
    return f"{'an' if is_an else 'a'} {noun}"


def listed(phrases: Sequence[str], word: str) -> str:
    """Phrases as a list: *a*, *a and b*, *a, b and c*."""
    *first, last = phrases
    return f"{', '.join(first)} {word} {last}" if first else last
