"""The command ``pequel`` and its subcommands."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..errors import PequelError
from .alerts import alerts
from .audit import audit
from .data.export import export
from .data.import_log import import_
from .data.replay_rejected import replay_rejected
from .demo import demo
from .insights.backtest import backtest
from .insights.diff import diff
from .insights.likelihood import likelihood
from .insights.metrics import metrics
from .insights.suggest import suggest
from .keys import keys
from .leads import leads
from .lint import lint
from .output import Failure
from .partners import partners
from .preview import preview
from .serve import serve
from .tail import tail
from .test import test
from .verify import verify


class Commands(click.Group):
    """Commands that report a PequelError as a Failure."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except PequelError as error:
            raise Failure(error) from error


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pequel")
def pequel() -> None:
    """Collect product events and mark product-qualified leads."""


COMMANDS = (
    serve,
    import_,
    export,
    replay_rejected,
    tail,
    keys,
    leads,
    partners,
    alerts,
    metrics,
    audit,
    lint,
    preview,
    backtest,
    diff,
    suggest,
    likelihood,
    test,
    verify,
    demo,
)
for command in COMMANDS:
    pequel.add_command(command)
