"""The background jobs of a collector: follow definitions, run clocks, back-fill, index, tidy up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from threading import Event, Thread
from time import monotonic

from ..errors import PequelError, Unavailable
from ..marking.active import (
    BackfillProgress,
    backfill_lines,
    backfill_progress,
    change_lines,
)
from ..marking.backfill import Activation
from .bootstrap import Collector

PAUSE = 1.0
"""Seconds between two rounds if there is nothing to do."""

STOP_TIMEOUT = 5.0
"""Seconds to wait for the end of the current round."""

_log = logging.getLogger(__name__)


class Housekeeper:
    """Runs the background jobs of one collector in a thread, in rounds.

    It calls ``on_definitions`` when other definitions have come in force, ``on_error`` when the
    definitions file cannot be read again, and ``on_progress`` after each step of a back-fill.
    ``on_changes`` gets a line for each definition that changed: at once, and after the back-fill
    with the leads that it added and withdrew.
    """

    def __init__(
        self,
        collector: Collector,
        on_definitions: Callable[[Collector], None],
        on_error: Callable[[PequelError], None],
        on_progress: Callable[[BackfillProgress], None] | None = None,
        on_changes: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self.collector = collector
        self._on_definitions, self._on_error = on_definitions, on_error
        self._on_progress = on_progress
        self._on_changes = on_changes or (lambda _lines: None)
        self._reported = collector.active_definitions()
        self._reloaded: Activation | None = None
        self._backfilled = _finished_backfill(collector)
        self._reload, self._stopped = Event(), Event()
        self._thread = Thread(target=self._run, name="pequel-housekeeper", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread after the current round."""
        self._stopped.set()
        self.collector.changed.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_TIMEOUT)

    def reload(self) -> None:
        """Read the definitions file again in the next round, which starts at once."""
        self._reload.set()
        self.collector.changed.set()

    def run_once(self) -> bool:
        """Run one round; whether there is more to do. Raises Unavailable."""
        if self._reload.is_set():
            self._reload.clear()
            self._reload_definitions()
        self.collector.refresh_definitions()
        self._report_definitions()
        self.collector.run_clock()
        is_more = self.collector.pass_deadlines()
        is_old = self.collector.alerts.remove_old()
        self.collector.keys.save_uses()
        self.collector.keys.refused.save()
        is_behind = self.collector.metrics.keep_up()
        is_behind |= self.collector.index_messages()
        return self._backfill() or is_more or is_old or is_behind

    def _reload_definitions(self) -> None:
        try:
            self._reloaded = self.collector.reload_definitions()
        except Unavailable:
            self._reload.set()
            raise
        except PequelError as error:
            self._on_error(error)
        else:
            self._reported = None

    def _report_definitions(self) -> None:
        found = self.collector.active_definitions()
        if found is None or found == self._reported:
            return
        self._reported = found
        self._on_definitions(self.collector)
        changed = self._reloaded or found
        self._reloaded = None
        self._on_changes(change_lines(changed.changes, changed.revision))

    def _backfill(self) -> bool:
        progress = self.collector.backfill_some()
        if progress is None:
            return True
        if progress.is_finished and progress.epoch != self._backfilled:
            self._backfilled = progress.epoch
            self._on_changes(backfill_lines(progress))
        if self._on_progress:
            self._on_progress(progress)
        return not progress.is_finished

    def _run(self) -> None:
        while not self._stopped.is_set():
            self.collector.changed.clear()
            began, busy = monotonic(), False
            try:
                busy = self.run_once()
            except Unavailable as error:
                _log.warning("background jobs: %s; trying again in a second", error.message)
            except Exception:  # noqa: BLE001 - one failed round must not end the thread
                _log.exception("background jobs failed; trying again in a second")
            # Pause for as long as the work took, so that others can write.
            self.collector.changed.wait(min(PAUSE, monotonic() - began) if busy else PAUSE)


def _finished_backfill(collector: Collector) -> int | None:
    """The epoch of the latest back-fill if it is finished: it was reported before."""
    with collector.store.reading() as view:
        progress = backfill_progress(view)
    return progress.epoch if progress and progress.is_finished else None
