"""`table.toml` of a run: what its authors choose for its tables, so that the same command makes the
same table again.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bench.errors import RequestError
from bench.wording import did_you_mean

FILE = "table.toml"
FACTS = ("year", "supervision", "knowledge", "input")
METRICS = ("auc", "ap", "eer", "rbdc", "tbdc", "fps", "parameters")
PAPER, FULL = "paper", "full"
STYLES = (PAPER, FULL)
"""Registers of the LaTeX tables: for a paper, with notes apart; or everything in the float."""
WIDTHS = ("auto", "one", "two")


@dataclass(frozen=True)
class TableOptions:
    """The keys of `table.toml`. `names` are used wherever a table, figure or page names a row or a
    dataset, `ours` in ablations; all others belong to the comparison in its form for a paper.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    ours: str = ""
    rows: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    groups: bool | Mapping[str, tuple[str, ...]] = True
    facts: tuple[str, ...] | None = None
    metrics: tuple[str, ...] = ()
    published: tuple[str, ...] = ()
    decimals: int = 2
    seeds: bool = False
    intervals: bool = False
    ties: bool = True
    footnotes: int = 5
    width: str = "auto"
    caption: str = ""


TEMPLATE = """\
# Choices for the tables of this run. A line that begins with # is not used: remove the # to set the
# key. `bench report` reads this file each time. Rows and datasets are named by their identifiers
# (columns `method` and `dataset` of tables/results.csv), which this run has:
#   rows:     {rows}
#   datasets: {datasets}

# Rows of the comparison in a paper, in this order; rows that are not named are left out.
# Default: all, in the order of --methods, by family.
# rows = [{first}]

# Columns, in this order. Default: all.
# datasets = [{dataset}]

# Headings above groups of rows: true (by family), false (none), or groups of your own, as a table
# at the end of this file:
#   [groups]
#   "Ours" = [{first}]
# groups = true

# Facts about each method, as columns: "year", "supervision", "knowledge" (extra knowledge or
# backbone), "input". Default: the year, and of the others those in which rows differ.
# facts = ["year", "supervision", "knowledge"]

# Metrics side by side: "auc", "ap", "eer", "rbdc", "tbdc", "fps", "parameters". RBDC and TBDC need
# a run with --keep regions. Default: the metric of the report (--metric) alone.
# metrics = ["auc", "ap", "fps"]

# Published numbers of methods that were not measured here, as rows of their own. There are:
#   {published}
# published = ["vec"]

# Digits behind the point of a percentage, 0 to 4. Default: 2.
# decimals = 1

# The number of seeds behind each standard deviation. Default: false, the caption says it.
# seeds = true

# The 95 % interval over clips behind each AUC. Default: false.
# intervals = true

# The mark ~ of rows that are not significantly different from the best. Default: true.
# ties = false

# Footnotes below the table, at most; what is left out stands in notes.tex. Default: 5.
# footnotes = 3

# Columns of the page that the table is as wide as: "one", "two", or "auto" by its width.
# width = "two"

# A caption in place of the generated one, as plain text.
# caption = "Comparison with other methods."

# The row that ablations set the other rows of its method against. Default: the first without
# changed parameters.
# ours = {example}

# Names of rows and datasets in tables, figures and page; a formula stands between dollar signs.
#   [names]
#   {example} = "Ours"
"""
"""What `bench report --edit-table` writes where there is no file."""


def read_options(folder: Path) -> TableOptions:
    """Read `table.toml` of a run's folder; without one, everything is the default.

    Raises
    ------
    RequestError : with every mistake of the file.
    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return TableOptions()
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{path} cannot be read: {error}") from error
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RequestError(f"{path}: no TOML: {error}") from error
    known = {one.name for one in fields(TableOptions)}
    mistakes = [
        f"no key {key!r}{did_you_mean(key, known, '; keys are ' + ', '.join(sorted(known)))}"
        for key in values
        if key not in known
    ]
    mistakes += [
        f"{key}: {problem}"
        for key, value in values.items()
        if key in known and (problem := _problem(key, value))
    ]
    if mistakes:
        raise RequestError(*(f"{path}: {mistake}" for mistake in mistakes))
    return TableOptions(**{key: _frozen(value) for key, value in values.items()})


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    if isinstance(value, dict):
        return {key: _frozen(one) for key, one in value.items()}
    return value


def _problem(key: str, value: Any) -> str:
    """Return what is wrong with a value; empty where nothing is."""
    choices = {"facts": FACTS, "metrics": METRICS}
    if key == "names":
        return "" if _is_texts(value, dict) else "write 'IDENTIFIER = \"Name\"' below [names]"
    if key == "groups":
        if isinstance(value, bool):
            return ""
        if not isinstance(value, dict) or not all(_is_texts(one, list) for one in value.values()):
            return "true, false, or lists of rows by heading below [groups]"
        rows = [row for names in value.values() for row in names]
        twice = [row for row in rows if rows.count(row) > 1]
        return f"names {twice[0]!r} twice; a row stands below one heading" if twice else ""
    if key in ("rows", "datasets", "published", *choices):
        if not _is_texts(value, list):
            return 'a list of texts, as in ["a", "b"]'
        if len(set(value)) < len(value):
            return "names something twice"
        bad = [one for one in value if key in choices and one not in choices[key]]
        return f"no {bad[0]!r} (there are {', '.join(choices[key])})" if bad else ""
    if key in ("decimals", "footnotes"):
        most = 4 if key == "decimals" else 26
        well = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
        return "" if well else f"a whole number from 0 to {most}"
    if key == "width":
        return "" if value in WIDTHS else f"one of {', '.join(WIDTHS)}"
    if key in ("caption", "ours"):
        return "" if isinstance(value, str) else "a text in quotes"
    return "" if isinstance(value, bool) else "true or false"


def _is_texts(value: Any, kind: type[list[Any]] | type[dict[str, Any]]) -> bool:
    if not isinstance(value, kind):
        return False
    return all(
        isinstance(one, str) for one in (value.values() if isinstance(value, dict) else value)
    )
