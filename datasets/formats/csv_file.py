"""CSV files that people write: in UTF-8, with commas, semicolons or tabs between the cells."""

from __future__ import annotations

import csv
from pathlib import Path

from bench import DataError

from .unreadable import refuse_unreadable


def read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Return the number of the line, and the cells without blanks around them, of each row that is
    not empty.

    Raises
    ------
    DataError : not UTF-8, or no CSV; and what `refuse_unreadable` refuses.
    """
    refuse_unreadable(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        first = next((line for line in text.splitlines() if line.strip()), "")
        separator = next((sign for sign in ",;\t" if sign in first), ",")
        reader = csv.reader(text.splitlines(), strict=True, delimiter=separator)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is no text in UTF-8 ({error.reason}); save it as CSV in UTF-8"
        ) from error
    except csv.Error as error:
        raise DataError(f"{path} is no CSV: {error}") from error
    return [(line, row) for line, row in rows if any(row)]
