"""How values of strangers read on a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.web import console
from pequel_collector.web.console.words import mailed, said


@pytest.mark.parametrize("address", ["ada@acme.example", "a.b+c@x.co", "o'hara@x", "ADA@X.example"])
def test_an_address_is_a_link(address: str) -> None:
    assert str(mailed(address)).startswith('<a href="mailto:')


@pytest.mark.parametrize(
    "value",
    ["ada", "•••@acme.example", "a@b?bcc=c@d", "a@b,c@d", "a b@c", "a@b\nBcc: c", '"><b>@x', "@x",
     "a@b&subject=x", "a%0a@b", "x" * 65 + "@x", "a@" + "x" * 300, "", None, 7, {"a": "a@b.c"}],
)  # fmt: skip
def test_what_is_no_address_is_text(value: Any) -> None:
    assert mailed(value) == said(value)


def test_a_link_names_the_whole_address_where_it_is_shown_cut_off() -> None:
    link = str(mailed("a" * 60 + "@acme.example", 10))
    assert 'href="mailto:' + "a" * 60 + '@acme.example"' in link


def declared(script: Path) -> set[str]:
    """The names that a script declares for the whole page."""
    form = r"^(?:const|let|class|(?:async )?function) (\w+)"
    return set(re.findall(form, script.read_text(), re.MULTILINE))


def test_no_script_declares_a_name_of_the_script_of_every_page() -> None:
    """Both are loaded into one page, where a second declaration stops the script."""
    static = Path(console.__file__).with_name("static")
    shared = declared(static / "console.js")
    assert shared
    for script in static.glob("*.js"):
        if script.name != "console.js":
            assert not shared & declared(script), script.name
