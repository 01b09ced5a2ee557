"""The same faults for Pequel and six peers; writes `docs/reference/sdk-comparison.md`.

`python tests/benchmarks/sdk_faults.py` uses the environment of `sdk_peers.py`, and makes it if need
be. Each case runs in processes of its own with a hard limit of time, against a server of its own.
Only the host and the key of an SDK are set. `--tables Forks --sdks pequel segment` is a quick look,
and leaves the page as it is.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from peers import environment
from peers.faults import TABLES, Fault, Table
from peers.sdks import SDKS, version_of

PAGE = environment.REPOSITORY / "docs" / "reference" / "sdk-comparison.md"
BEGIN, END = "<!-- observed: begin -->\n", "<!-- observed: end -->\n"
COMMAND = "python tests/benchmarks/sdk_faults.py"
AT_ONCE = 5
COLUMNS = ["pequel", "pequel+spool", *list(SDKS)[1:], "mixpanel-sync"]


def main() -> None:
    """Run, print, and write the page if everything was run."""
    environment.prepare()
    arguments = read_arguments()
    tables = [table for table in TABLES if table.heading in arguments.tables]
    text = "\n".join(rendered(table, arguments.sdks) for table in tables)
    print(text)
    if arguments.sdks == columns() and tables == TABLES:
        write(f"{provenance()}\n{text}")


def read_arguments() -> argparse.Namespace:
    """What to run; everything if nothing is said."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sdks", nargs="+", choices=COLUMNS, default=columns())
    headings = [table.heading for table in TABLES]
    parser.add_argument("--tables", nargs="+", choices=headings, default=headings)
    return parser.parse_args()


def columns() -> list[str]:
    """Every SDK; a spool only where Pequel has one."""
    code = "import pequel; raise SystemExit('spool' not in pequel.Options._fields)"
    without = subprocess.run([environment.PYTHON, "-c", code]).returncode
    return [name for name in COLUMNS if not (without and "spool" in name)]


def rendered(table: Table, names: list[str]) -> str:
    """A table in Markdown, with what was observed."""
    lines = [["", *names], ["---"] * (len(names) + 1)]
    lines += [[fault.title, *observed(fault, names)] for fault in table.faults]
    rows = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    return f"## {table.heading}\n\n{textwrap.fill(table.note, 100)}\n\n{rows}\n"


def observed(fault: Fault, names: list[str]) -> list[str]:
    """What became of each SDK."""
    print(fault.title, file=sys.stderr)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [fault.tell(seen) for seen in pool.map(fault.run, names)]


def provenance() -> str:
    """What was run, where and when."""
    versions = environment.versions()
    names = ", ".join(f"{name} {version_of(name, versions)}" for name in SDKS)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    today = datetime.now(timezone.utc).date()
    text = f"Observed on {today} with {python} on {platform.system()} by `{COMMAND}`, which writes "
    return textwrap.fill(f"{text}these tables: {names}.", 100) + "\n"


def write(text: str) -> None:
    """Put it in its place on the page; the rest of the page is written by hand."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    main()
