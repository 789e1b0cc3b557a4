r"""One LaTeX command for each number of the comparison, for running text:
\newcommand{\AUCMemaePedTwo}{94.10}.
"""

from __future__ import annotations

import re

from bench.tables.comparison import Comparison

DIGITS = ("Zero", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


def command_name(*parts: str) -> str:
    """Return letters alone, as a LaTeX command needs: words begin with a capital, digits are
    spelt.
    """
    words = re.findall(r"[A-Za-z]+|\d", " ".join(parts))
    return "".join(
        DIGITS[int(word)] if word.isdigit() else word[0].upper() + word[1:] for word in words
    )


def to_macros(table: Comparison, metric: str, protocol: str = "") -> str:
    r"""Return the commands of a comparison: `\AUC...`, with `...SD` and `...Seeds` for several
    seeds, `...Low` and `...High` for the ends of the interval over clips. A protocol other than the
    run's own stands in the names, `\AUCRaw...`.

    Names that are the same in letters are told apart by an X at the end, in the order of the rows.
    """
    lines = ["% One command a number. " + " ".join(table.caption.split())]
    taken: set[str] = set()
    for line in table.lines:
        for column, entry in zip(table.columns, line.entries):
            if not entry.mean:
                continue
            values = {"": entry.mean}
            if entry.sd:
                values |= {"SD": entry.sd, "Seeds": str(entry.seeds)}
            if entry.low:
                values |= {"Low": entry.low, "High": entry.high}
            name = command_name(metric.upper(), protocol, line.label, column)
            while any(name + suffix in taken for suffix in values):
                name += "X"
            taken |= {name + suffix for suffix in values}
            lines += [
                rf"\newcommand{{\{name}{suffix}}}{{{value}}}" for suffix, value in values.items()
            ]
    return "\n".join(lines) + "\n"
