"""A definitions file that leaves out what all files share, completed from the one in force.

Somebody who tries a definition sends its table alone. It means what it would mean in the file:

    in force    [project] conversion = "paid"           sent    [[pql]] name = "keen" …
    read        [project] conversion = "paid", then [[pql]] name = "keen" …
"""

from __future__ import annotations

from ..errors import DefinitionError
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..rules.parser.printer import shared_tables, to_file
from ..rules.parser.toml import TomlError, parse

SHARED = ("project", "features", "metric", "labels")


def completed(text: str, active: str, file: str) -> Catalogue:
    """The catalogue of a text. Tables that it lacks are those of the active file.

    Raises DefinitionError, with places in the text as it was given.
    """
    try:
        given = parse(text).data.keys()
    except TomlError:
        return read_catalogue(text, file)
    tables = {name: table for name, table in shared_tables(active).items() if name in SHARED}
    missing = {name: table for name, table in tables.items() if name not in given}
    if "project" in given or not missing:
        return read_catalogue(text, file)
    before = to_file(missing, ()) + "\n"
    try:
        return read_catalogue(before + text, file)
    except DefinitionError as error:
        for problem in error.problems:
            problem.line = max(1, problem.line - before.count("\n"))
        raise DefinitionError(error.problems) from None
