"""A collection: a CSV file that names many files of scores, a row each."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

COLUMNS = ("name", "path", "first", "higher_is", "keys", "published", "paper_protocol")
"""Of a collection; all but the first two may be left out, and so may their cells."""
SIGNS = {"+": "anomalous", "-": "normal", "1": "anomalous", "-1": "normal"}
"""What a sign in `higher_is` means: how scores have to be multiplied."""
LARGEST = 1 << 20
"""Bytes of a collection. Chosen here: thousands of rows."""


def read_collection(path: Path) -> list[tuple[Mapping[str, str], str]] | None:
    """Return the parameters and the name of each row of a collection; None where a file is none.

    Paths start in the folder of the collection.

    Raises
    ------
    ValueError : a collection with a row that is none.
    """
    if path.suffix.lower() != ".csv":
        return None
    try:
        if path.stat().st_size > LARGEST:
            return None
        lines = list(csv.reader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    lines = [[cell.strip() for cell in line] for line in lines]
    head = [cell.lower() for cell in lines[0]] if lines else []
    if not {"name", "path"} <= {*head}:
        return None
    if unknown := [column for column in head if column not in COLUMNS]:
        raise ValueError(
            f"{path}: there is no column {unknown[0]!r}; a collection has {', '.join(COLUMNS)}"
        )
    rows: list[tuple[Mapping[str, str], str]] = []
    for number, line in enumerate(lines[1:], start=2):
        if not any(line):
            continue
        if len(line) != len(head):
            raise ValueError(
                f"{path}, line {number}: {len(line)} cells, and the head has {len(head)}"
            )
        row = {key: text for key, text in zip(head, line) if text}
        if lacking := [key for key in ("name", "path") if key not in row]:
            raise ValueError(f"{path}, line {number}: {lacking[0]} is empty")
        row["path"] = str(path.parent / row["path"])
        if "higher_is" in row:
            row["higher_is"] = SIGNS.get(row["higher_is"], row["higher_is"])
        rows.append((row, row.pop("name")))
    if not rows:
        raise ValueError(f"{path}: the collection has no row")
    return rows
