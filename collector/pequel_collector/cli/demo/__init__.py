"""``pequel demo``: an invented product, the real SDK and a real collector. May import `pequel`."""

from __future__ import annotations

import click

from ..options import example


@click.command(epilog=example("pequel demo", "pequel demo --exit"))
@click.option("--exit", "stop", is_flag=True, help="Stop at the end, without waiting for Ctrl-C.")
def demo(stop: bool) -> None:
    """Show what Pequel does.

    Starts a collector on a temporary database and sends it two weeks of events from a small task
    manager, through the SDK. Prints each product-qualified lead as soon as it is marked.
    """
    from .show import show

    show(stop=stop)
