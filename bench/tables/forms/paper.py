r"""A table as LaTeX for a paper, and the notes that were left out of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from bench.runs.table_options import TableOptions
from bench.tables.forms.latex import FITTED, PREAMBLE, SHRUNK, TURNED, escape, escape_name
from bench.tables.forms.paper_layout import HEADINGS
from bench.tables.table import DASH, TRIVIAL, Row, Table, TableCell

WIDE = 60
"""Letters of a row from which on a table goes over both columns of a page. Chosen here: what fits
into 8.4 cm at 8 points or more."""
MANY = 8
"""Columns from which on long headings stand on end. Chosen here: fewer fit across a page."""
REFERENCE = r"\providecommand{\benchref}[2]{\ifcsname r@#1\endcsname Table~\ref{#1}\else #2\fi}"
"""How notes name their table: by its number where the document shows it, else by its title."""
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def to_paper(table: Table, label: str, options: TableOptions) -> str:
    r"""Return a `table` environment, or `table*` where one column of a page is too narrow; it needs
    the packages of `PREAMBLE` and cites what references.bib holds.

    Numbers of a column are aligned at their points. Footnotes are those that have words for a paper
    (`Table.brief`), equal ones joined, at most `options.footnotes`.
    """
    letters = _letters(table, options.footnotes)
    columns = [_column(table, number, letters, options) for number in range(len(table.columns))]
    wide = options.width == "two" or (options.width == "auto" and _letters_wide(table) > WIDE)
    environment = "table*" if wide else "table"
    spec = "l" * (1 + len(table.facts)) + "".join(spec for spec, _ in columns)
    lines = [
        f"% needs {PREAMBLE}; the entries of \\cite are in references.bib",
        # p: one that fills most of a page gets a page soon, and not behind the references.
        rf"\begin{{{environment}}}[tp]",
        r"\setlength{\abovecaptionskip}{4pt}\setlength{\belowcaptionskip}{5pt}",
        FITTED,
        r"\begin{minipage}{\linewidth}\centering\small",
        rf"\caption{{{_caption(table, options)}}}\label{{{label}}}",
        r"\setlength{\tabcolsep}{4pt}",
        SHRUNK,
        rf"\begin{{tabular}}{{{spec}}}",
        r"\toprule",
        *_head(table, columns),
    ]
    groups = table.groups()
    for family, members in groups:
        lines.append(r"\midrule")
        if family and len(groups) > 1:
            title = escape(family[:1].upper() + family[1:])
            span = 1 + len(table.facts) + sum(_width(spec) for spec, _ in columns)
            lines.append(rf"\multicolumn{{{span}}}{{l}}{{\emph{{{title}}}}} \\")
        for row in members:
            place = table.rows.index(row)
            cells = [
                _named(table, row),
                *(escape(row.facts.get(name, "")) for name in table.facts),
                *(cells[place] for _, cells in columns),
            ]
            lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if letters:
        said = [
            f"\\textsuperscript{{{letter}}}\\,{escape(words)}" for words, letter in letters.items()
        ]
        lines += [r"\par\smallskip", r"{\footnotesize\raggedright " + "; ".join(said) + r".\par}"]
    return "\n".join([*lines, r"\end{minipage}}", rf"\end{{{environment}}}", ""])


def notes_of(table: Table, label: str, first: Table | None = None) -> str:
    """Return everything that the form for a paper leaves out: the whole caption, what is to be said
    of rows, and the notes.

    Parameters
    ----------
    first : the comparison, where the table follows from it: what its notes say is not repeated.
    """
    repeated = set() if first is None else {*first.notes, *(text for _, text in first.footnotes)}
    caption = table.caption
    if first is not None and caption.startswith(first.caption):
        caption = "As the comparison." + caption.removeprefix(first.caption)
    of_text: dict[str, list[str]] = {}
    known = dict(table.footnotes)
    for row in [row for _, members in table.groups() for row in members]:
        for cell in row.cells:
            for letter in cell.notes:
                text = known.get(letter, "")
                if text in repeated:
                    continue
                words = text if cell.value is not None else table.brief.get(text, text)
                rows = of_text.setdefault(without_paths(words), [])
                if (name := escape_name(table.names.row(row.name, True))) not in rows:
                    rows.append(name)
    of_rows: dict[tuple[str, ...], list[str]] = {}
    for text, rows in of_text.items():
        of_rows.setdefault(tuple(rows), []).append(escape(text))
    title = label.removeprefix("tab:").replace("-", " ").capitalize()
    lines = [
        REFERENCE
        + rf"\paragraph{{\benchref{{{label}}}{{{title}}}.}} {escape(without_paths(caption))}"
    ]
    lines += [
        rf"\emph{{{'; '.join(rows)}}}: {'; '.join(texts)}." for rows, texts in of_rows.items()
    ]
    notes = [without_paths(note) for note in table.notes if note not in repeated]
    lines += [escape(_begun(note)) + "." for note in notes]
    return "\n\n".join(lines) + "\n"


def _begun(note: str) -> str:
    """Return a note with a capital, unless it begins with a name, as in 'ddl: ...'."""
    named = note.split(maxsplit=1)[0].endswith(":")
    return note if named else note[:1].upper() + note[1:]


def without_paths(text: str) -> str:
    """Return a text in which of each path only the last part stands: where a file lies on a machine
    is no fact about a number.
    """
    return re.sub(r"(?<![\w:/}])(?:~|\.{1,2})?(?:/[^\s/\]\[,;:)]+)+/([^\s/\]\[,;:)]+)", r"\1", text)


def _letters(table: Table, most: int) -> dict[str, str]:
    """Return words -> letter of the footnotes, those of missing numbers first where there is no
    room for all.
    """
    known = dict(table.footnotes)
    missing: dict[str, bool] = {}
    others: dict[str, bool] = {}
    for _, members in table.groups():
        for row in members:
            for cell in row.cells:
                for letter in cell.notes:
                    words = table.brief.get(known.get(letter, ""), "")
                    if words:
                        (others if cell.value is not None else missing)[words] = True
    kept = list({**missing, **others})[:most]
    order = [
        words
        for _, members in table.groups()
        for row in members
        for cell in row.cells
        for words in _words(table, cell)
        if words in kept
    ]
    return {words: chr(97 + place) for place, words in enumerate(dict.fromkeys(order))}


def _words(table: Table, cell: TableCell) -> list[str]:
    known = dict(table.footnotes)
    return [words for letter in cell.notes if (words := table.brief.get(known.get(letter, ""), ""))]


def _caption(table: Table, options: TableOptions) -> str:
    if options.caption:
        return escape(options.caption)
    caption = escape(table.short or table.caption.partition(". ")[0].rstrip(".") + ".")
    if table.ranked:
        trivial = any(row.family == TRIVIAL for row in table.rows)
        caption += r" Best in \textbf{bold}, second \underline{underlined}" + (
            ", trivial methods excluded." if trivial else "."
        )
    if table.tied and options.ties and any(cell.tied for row in table.rows for cell in row.cells):
        # Of several metrics it is the AUC that has a test.
        of = "AUC " if len(options.metrics) > 1 else ""
        caption += (
            rf" $\sim$: {of}not significantly different from the best (paired test over clips, "
            r"$p \geq 0.05$)."
        )
    if options.intervals and any(cell.low is not None for row in table.rows for cell in row.cells):
        caption += r" In brackets: 95\,\% interval over clips."
    return caption


def _head(table: Table, columns: Sequence[tuple[str, list[str]]]) -> list[str]:
    """Return the heading, in two lines where several columns belong to a dataset."""
    first = ["Method", *(HEADINGS[name] for name in table.facts)]
    pairs = [_split(table, column) for column in table.columns]
    widths = [_width(spec) for spec, _ in columns]
    groups = list(dict.fromkeys(dataset for dataset, _ in pairs))
    if len(groups) == len(pairs):
        names = [escape_name(table.names.heading(column, True)) for column in table.columns]
        if _turned(table):
            names = [rf"\rotatebox{{90}}{{{name}}}" for name in names]
        return [" & ".join([*first, *map(_over, widths, names)]) + r" \\"]
    above, rules, at = [""] * len(first), [], len(first) + 1
    for group in groups:
        width = sum(width for (dataset, _), width in zip(pairs, widths) if dataset == group)
        if (group, "") in pairs:  # a column of no dataset has one line
            above.append(_over(width, ""))
        else:
            above.append(_over(width, escape_name(group)))
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    names = [escape(name) if name else escape_name(dataset) for dataset, name in pairs]
    below = [*first, *map(_over, widths, names)]
    return [" & ".join(above) + r" \\", "".join(rules), " & ".join(below) + r" \\"]


def _turned(table: Table) -> bool:
    """Return whether the headings of a table stand on end: those of many columns would make it
    wider than their numbers do.
    """
    return len(table.columns) > MANY and max(map(len, table.headings)) > TURNED


def _split(table: Table, column: str) -> tuple[str, str]:
    """Return the display name of a column's dataset, and what stands behind it."""
    heading = table.names.heading(column, True)
    for name in sorted(table.names.datasets.values(), key=len, reverse=True):
        if heading.startswith(name + " "):
            return name, heading.removeprefix(name).strip()
    return heading, ""


def _over(width: int, name: str) -> str:
    """Return a heading over so many columns of LaTeX."""
    return rf"\multicolumn{{{width}}}{{c}}{{{name}}}"


def _width(spec: str) -> int:
    return 2 if "l" in spec else 1


def _named(table: Table, row: Row) -> str:
    name = escape_name(table.names.row(row.name, True))
    return name + (rf"~\cite{{{row.citation}}}" if row.citation else "")


def _column(
    table: Table, number: int, letters: Mapping[str, str], options: TableOptions
) -> tuple[str, list[str]]:
    """Return the columns of LaTeX that a column takes, and its cell in each row: the number,
    aligned at its point, and what follows it.
    """
    cells = [row.cells[number] for row in table.rows]
    digits = max([0, *(len(_digits(cell).partition(".")[2]) for cell in cells)])
    numbers, behind = [], []
    for cell in cells:
        text = _digits(cell)
        if text:
            decimals = len(text.partition(".")[2])
            padding = "0" * (digits - decimals)
            point = "." if digits and not decimals else ""
            value = text if cell.value is not None else rf"\emph{{{text}}}"
            value = {1: rf"\textbf{{{value}}}", 2: rf"\underline{{{value}}}"}.get(cell.rank, value)
            numbers.append(value + (rf"\phantom{{{point}{padding}}}" if point or padding else ""))
        elif cell.value is not None:
            numbers.append(escape(cell.shown))
        else:
            numbers.append("--" if cell.mark == DASH else rf"\emph{{{escape(cell.mark)}}}")
        behind.append(_behind(table, cell, letters, options))
    if not any(behind):
        return "r", numbers
    return "r@{}l", [f"{one} & {other}" for one, other in zip(numbers, behind)]


def _digits(cell: TableCell) -> str:
    text = cell.shown if cell.value is not None else cell.mark
    return text if NUMBER.fullmatch(text) else ""


def _behind(
    table: Table, cell: TableCell, letters: Mapping[str, str], options: TableOptions
) -> str:
    text = ""
    if cell.sd is not None:
        text = rf"\,{{\scriptsize$\pm$\,{cell.sd:.{cell.decimals}f}"
        text += (rf"\,({cell.seeds})" if options.seeds else "") + "}"
    if options.intervals and cell.low is not None and cell.high is not None:
        ends = f"{cell.low:.{cell.decimals}f}, {cell.high:.{cell.decimals}f}"
        text += rf"\,{{\scriptsize[{ends}]}}"
    if cell.place:
        text += rf"\,{{\scriptsize({cell.place})}}"
    marks = [r"$\sim$"] if cell.tied and options.ties else []
    marks += [letters[words] for words in dict.fromkeys(_words(table, cell)) if words in letters]
    return text + (rf"\textsuperscript{{{','.join(marks)}}}" if marks else "")


def _letters_wide(table: Table) -> int:
    """Return about how many letters wide the longest row is."""
    names = max([6, *(len(table.row_name(row)) + 5 * bool(row.citation) for row in table.rows)])
    facts = [
        max([len(HEADINGS[name]), *(len(row.facts.get(name, "")) for row in table.rows)])
        for name in table.facts
    ]
    numbers = [
        max(
            len(_split(table, column)[1] or table.names.heading(column)),
            *(
                len(row.cells[number].shown or row.cells[number].mark)
                + (6 if row.cells[number].sd is not None else 0)
                for row in table.rows
            ),
            4,
        )
        for number, column in enumerate(table.columns)
    ]
    return names + sum(facts) + sum(numbers) + 2 * (len(facts) + len(numbers))
