r"""One LaTeX command for each number of the comparison, for running text:
\newcommand{\AUCMemaePedTwo}{94.10}.
"""

from __future__ import annotations

import re

from bench.tables.table import DIGITS, Table

NAMES = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def command_name(*parts: str) -> str:
    """Return letters alone, as a LaTeX command needs: words begin with a capital, digits are
    spelt.
    """
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(
        NAMES[int(word)] if word.isdigit() else word[0].upper() + word[1:] for word in words
    )


def to_macros(table: Table, metric: str, protocol: str = "") -> str:
    r"""Return the commands of a comparison: `\AUC...`, with `...SD` and `...Seeds` for several
    seeds, `...Low` and `...High` for the ends of the interval over clips. A protocol other than the
    run's own stands in the names, `\AUCRaw...`.

    Names that are the same in letters are told apart by an X at the end, in the order of the rows.
    """
    lines = ["% One command a number. " + " ".join(table.caption.split())]
    taken: set[str] = set()
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells):
            if cell.value is None:
                continue
            values = {"": cell.shown}
            if cell.sd is not None:
                values |= {"SD": f"{cell.sd:.{DIGITS}f}", "Seeds": str(cell.seeds)}
            if cell.low is not None and cell.high is not None:
                values |= {"Low": f"{cell.low:.{DIGITS}f}", "High": f"{cell.high:.{DIGITS}f}"}
            name = command_name(
                metric.upper(), protocol, table.row_name(row), table.names.heading(column)
            )
            while any(name + suffix in taken for suffix in values):
                name += "X"
            taken |= {name + suffix for suffix in values}
            lines += [
                rf"\newcommand{{\{name}{suffix}}}{{{value}}}" for suffix, value in values.items()
            ]
    return "\n".join(lines) + "\n"
