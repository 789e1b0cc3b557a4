"""Items of a selection that stand for several rows, which a method reads in a file."""

from __future__ import annotations

import dataclasses
from typing import Any

from bench.errors import BenchError
from bench.plugins.syntax import Item


def expanded(item: Item, target: Any) -> tuple[list[Item], list[str]]:
    """Return the items that one stands for, which a method may read in a file, or its mistakes."""
    expand = getattr(target, "expand", None)
    try:
        rows = expand(item.values or {}) if expand is not None else None
    except (BenchError, ValueError) as error:
        return [], [f"{item.text!r}: {error}"]
    if rows is None:
        return [item], []
    if item.given_name:
        return [], [f"{item.text!r}: its rows have names already; leave out 'as {item.given_name}'"]
    return [
        dataclasses.replace(
            item, values={key: (text,) for key, text in values.items()}, given_name=name
        )
        for values, name in rows
    ], []
