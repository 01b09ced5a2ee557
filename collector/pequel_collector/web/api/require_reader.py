"""What is for readers only: nobody else gets in, and no cache keeps it."""

from __future__ import annotations

from flask import Blueprint, Response, request

from .. import credentials
from ..collector import Collector
from ..paths import require_text


def private(paths: Blueprint, collector: Collector) -> None:
    """Answer on these paths only who has a key that reads, as of this moment."""

    @paths.before_request
    def authorize() -> None:
        token = credentials.of_reader(request)
        credentials.require(collector.keys, token, credentials.READERS)

    @paths.before_request
    def refuse_bytes() -> None:
        require_text(request)

    @paths.before_request
    def let_the_clock_run() -> None:
        collector.run_clock()

    @paths.after_request
    def keep_out_of_caches(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response
