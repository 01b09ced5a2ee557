"""A catalogue as the text of a definitions file: what the product reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

Catalogue = Mapping[str, Any]


def to_toml(catalogue: Catalogue) -> str:
    """Tables and arrays of tables at the top, everything below them inline."""
    blocks = []
    for name, part in catalogue.items():
        if isinstance(part, Mapping):
            blocks.append(block(f"[{name}]", part))
        else:
            blocks.extend(block(f"[[{name}]]", each) for each in part)
    return "\n".join(blocks)


def block(head: str, table: Catalogue) -> str:
    lines = [f"{json.dumps(key)} = {inline(value)}\n" for key, value in table.items()]
    return f"{head}\n{''.join(lines)}"


def inline(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = [f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()]
        return "{ " + ", ".join(pairs) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(inline(each) for each in value) + "]"
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False)
    return str(value)
