"""RequestScope to the application: functions that it gave, and that must not hurt it."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING, Generic, TypeVar

from pequel.sending.callbacks import logger

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_A_co = TypeVar("_A_co", covariant=True)


class LogOnce:
    """A `with` block whose errors go to the log, the first time; after that to nobody."""

    def __init__(self, what: str, consequence: str) -> None:
        self._what = what
        self._consequence = consequence
        self._told = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._told:
            self._told = True
            logger.error("%s failed, %s", self._what, self._consequence, exc_info=error)
        return True


class Lazy(Generic[_A_co]):
    """An answer that is asked for when it is first needed, and kept once it is not None."""

    __slots__ = ("_answer", "_ask", "_asking")

    def __init__(self, ask: Callable[[], _A_co | None]) -> None:
        self._ask = ask
        self._answer: _A_co | None = None
        self._asking = 0

    def answer(self) -> _A_co | None:
        """The answer there is now; None to whoever asks while finding it out."""
        if self._answer is None and self._asking != get_ident():
            self._asking = get_ident()
            try:
                self._answer = self._ask()
            finally:
                self._asking = 0
        return self._answer
