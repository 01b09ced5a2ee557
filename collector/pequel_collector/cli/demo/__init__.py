"""``pequel demo``: a made-up product, a real SDK and a real collector, told in twenty lines."""

from __future__ import annotations

import click

from ..options import example


@click.command(epilog=example("pequel demo", "pequel demo --exit"))
@click.option("--exit", "stop", is_flag=True, help="Stop at the end instead of waiting for Ctrl-C.")
def demo(stop: bool) -> None:
    """Show what Pequel does.

    A collector is started on a temporary database. Two weeks of a small task manager go by, sent
    through the SDK over HTTP; each product-qualified lead is printed the moment it is marked.
    """
    from .show import show

    show(stop=stop)
