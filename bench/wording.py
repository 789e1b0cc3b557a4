"""Phrases that many messages share: names in a row, counts with their noun, and what was probably
meant; and the width that texts of a terminal are wrapped to.
"""

from __future__ import annotations

import difflib
import shutil
import textwrap
from collections.abc import Iterable


def listed(names: Iterable[object], most: int | None = None, rest: str = " ...") -> str:
    """Return the distinct names that are not empty, as in 'a, b, c'.

    Parameters
    ----------
    most : how many are named; None for all.
    rest : follows where there are more; `{}` in it is their number.
    """
    found = list(dict.fromkeys(filter(None, map(str, names))))
    more = 0 if most is None else max(0, len(found) - most)
    return ", ".join(found[:most]) + (rest.format(more) if more else "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: '1 clip', '2 clips'."""
    return f"{number} {noun}{'s' * (number != 1)}"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant; None where none is similar."""
    alike = {key.lower().replace("_", "-"): key for key in reversed(list(known))}
    found = difflib.get_close_matches(name.lower().replace("_", "-"), alike, n=1)
    return alike[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return " - did you mean 'KNOWN'?", or `otherwise` where no known name is similar."""
    near = nearest(name, known)
    return otherwise if near is None else f" - did you mean {near!r}?"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return that there is no such thing, what was probably meant, and what there is."""
    known = list(dict.fromkeys(known))
    return f"no {what} {name!r}{did_you_mean(name, known)} (there are {', '.join(known)})"


WIDTH = 100
"""Columns that the text of a file is wrapped to, and the most on a terminal."""
NARROWEST = 40


def terminal_width() -> int:
    """Return the columns that text is wrapped to: those of the terminal, `NARROWEST` to `WIDTH`;
    `WIDTH` where there is none.
    """
    return max(NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Return a text in lines as wide as the terminal; `first` is in front of the first one, `rest`
    of the others. Words, options and paths are not broken.
    """
    return textwrap.fill(
        text,
        terminal_width(),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
