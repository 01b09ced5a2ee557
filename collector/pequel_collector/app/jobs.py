"""What goes on beside the requests: definitions change, the clock runs, history is replayed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from time import monotonic

from ..errors import PequelError, Unavailable
from ..marking.active import BackfillProgress
from .bootstrap import Collector

PAUSE = 1.0
"""Seconds between two rounds where nothing is to be done."""

LONGEST_STOP = 5.0
"""Seconds to wait for the end of a round that is under way."""

_log = logging.getLogger(__name__)


class Housekeeper:
    """The rounds of one collector, in a thread of their own.

    ``told`` hears what happened to the definitions, ``refused`` why they could not be read again,
    ``progress`` how far a replay of history is.
    """

    def __init__(
        self,
        collector: Collector,
        told: Callable[[Collector], None],
        refused: Callable[[PequelError], None],
        progress: Callable[[BackfillProgress], None] | None = None,
    ) -> None:
        self.collector = collector
        self._told, self._refused, self._progress = told, refused, progress
        self._known = collector.active_definitions()
        self._reload, self._over = Event(), Event()
        self._thread = Thread(target=self._run, name="pequel-housekeeper", daemon=True)

    def start(self) -> None:
        """Begin with the rounds."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round that is under way."""
        self._over.set()
        self.collector.changed.set()
        if self._thread.ident is not None:
            self._thread.join(LONGEST_STOP)

    def reload(self) -> None:
        """Read the definitions file again in the next round, which begins at once."""
        self._reload.set()
        self.collector.changed.set()

    def round(self) -> bool:
        """Do what there is to do; whether there is more of it. Raises Unavailable."""
        if self._reload.is_set():
            self._reload.clear()
            self._read_again()
        self.collector.keep_up()
        self._tell()
        self.collector.tick()
        return self._replay()

    def _read_again(self) -> None:
        try:
            self.collector.reload_definitions()
        except Unavailable:
            self._reload.set()
            raise
        except PequelError as error:
            self._refused(error)
        else:
            self._known = None

    def _tell(self) -> None:
        found = self.collector.active_definitions()
        if found != self._known:
            self._known = found
            self._told(self.collector)

    def _replay(self) -> bool:
        replay = self.collector.replay_some()
        if replay is None:
            return True
        if self._progress:
            self._progress(replay)
        return not replay.is_over

    def _run(self) -> None:
        while not self._over.is_set():
            self.collector.changed.clear()
            began, busy = monotonic(), False
            try:
                busy = self.round()
            except Unavailable as error:
                _log.warning("the rounds go on in a second: %s", error.message)
            except Exception:  # noqa: BLE001 - the thread lives on, whatever a round came upon
                _log.exception("a round failed, the next one is in a second")
            # As long as the work took, others that want to write go first.
            self.collector.changed.wait(min(PAUSE, monotonic() - began) if busy else PAUSE)
