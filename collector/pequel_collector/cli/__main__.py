"""``python -m pequel_collector.cli`` is the command ``pequel``."""

from . import main

main()
