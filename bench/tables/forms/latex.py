"""The comparison as LaTeX: booktabs, best bold, second underlined."""

from __future__ import annotations

import re
import unicodedata

from bench.plugins.display_names import parts
from bench.tables.table import DASH, Table, TableCell

ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "→": r"$\rightarrow$",
    "µ": r"$\mu$",
    "σ": r"$\sigma$",
    "–": "--",
    "—": "---",
    "…": r"\ldots{}",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "ß": r"\ss{}",
    "ø": r"\o{}",
    "Ø": r"\O{}",
    "æ": r"\ae{}",
    "Æ": r"\AE{}",
    "å": r"\aa{}",
    "Å": r"\AA{}",
    "ł": r"\l{}",
    "Ł": r"\L{}",
    "ı": r"\i{}",
}
ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
    "\u0328": "k",
}


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is, in ASCII. A letter that pdflatex's fonts lack becomes
    a question mark.
    """
    text = unicodedata.normalize("NFC", " ".join(text.split()))
    # Doubled, hyphens, quotes and commas would join to other characters.
    return "{}".join("".join(map(_letter, part)) for part in re.split(r"(?<=[-',])(?=[-',])", text))


def escape_name(name: str) -> str:
    """Return a display name for LaTeX: what is no formula is escaped."""
    pieces = []
    for text, formula in parts(" ".join(name.split())):
        before, after = " " * text.startswith(" "), " " * (text.endswith(" ") and len(text) > 1)
        pieces.append(f"${text}$" if formula else f"{before}{escape(text)}{after}")
    return "".join(pieces)


def _letter(letter: str) -> str:
    if letter in ESCAPES:
        return ESCAPES[letter]
    if ord(letter) < 128:
        return letter if letter.isprintable() else ""
    base, mark = unicodedata.normalize("NFD", letter)[:1], unicodedata.normalize("NFD", letter)[1:]
    return rf"\{ACCENTS[mark]}{{{base}}}" if mark in ACCENTS and base.isascii() else "?"


PREAMBLE = r"\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{graphicx}"
"""What a document needs for these tables."""
SHRUNK = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Around a tabular: one that is wider than the text becomes as wide as the text."""
FITTED = r"\resizebox*{!}{\ifdim\totalheight>.98\textheight .98\textheight\else\totalheight\fi}{%"
"""Around a whole float: one that is higher than a page becomes as high as a page."""
NOTES = (
    r"\providecommand{\benchnotes}[1]{\par\smallskip{\footnotesize\noindent\raggedright "
    r"Notes on Table~\thetable. #1\par}\smallskip}"
)
"""How what must be said of the data stands behind a table, unless the document says otherwise."""
LONG = 24
"""Rows from which on a table is set in smaller type, so that it stays on a page with its footnotes.
Chosen here."""
TURNED = 10
"""Letters from which on the headings of more than four columns stand on end. Chosen here: about the
width of a number with its place."""


def to_latex(table: Table, label: str = "") -> str:
    r"""Return a `table*` environment that cites what references.bib holds; it needs the packages of
    `PREAMBLE`.

    It is as wide as the text, over both columns where there are two, and holds caption, table and
    footnotes; what is wider or higher than a page has room for is shrunk. The notes of a table are
    no part of the float: they follow it as an argument of `\benchnotes`.
    """
    columns = len(table.columns)
    caption = escape(table.caption)
    caption += " Best in bold, second underlined, trivial methods excluded." if table.ranked else ""
    caption += r" Mean $\pm$ standard deviation over seeds (their number)." if table.spread else ""
    caption += rf" $\sim$ {escape(table.tied)}." if table.tied else ""
    names = [escape_name(table.names.heading(column, True)) for column in table.columns]
    if columns > 4 and max(map(len, table.headings)) > TURNED:
        names = [rf"\rotatebox{{70}}{{{name}}}" for name in names]
    years = any(row.year for row in table.rows)
    long = len(table.rows) > LONG
    lines = [
        f"% needs {PREAMBLE}; the entries of \\cite are in references.bib",
        r"\begin{table*}",
        r"\centering",
        # A class sets one of the two, below a figure or above a table; here the caption stands
        # above.
        r"\setlength{\abovecaptionskip}{6pt}\setlength{\belowcaptionskip}{6pt}",
        FITTED,
        r"\begin{minipage}{\linewidth}" + (r"\small" if long else ""),
        r"\centering",
        rf"\caption{{{caption}}}" + (rf"\label{{{label}}}" if label else ""),
        *([r"\setlength{\tabcolsep}{3pt}"] if columns > 4 else []),
        *([r"\footnotesize"] if long else []),
        SHRUNK,
        rf"\begin{{tabular}}{{l{'l' * years}{'r' * columns}}}",
        r"\toprule",
        " & ".join(["Method", *(["Year"] if years else []), *names]) + r" \\",
    ]
    for family, members in table.groups():
        lines.append(r"\midrule")
        if family:
            lines.append(
                rf"\multicolumn{{{1 + years + columns}}}{{l}}{{\emph{{{escape(family)}}}}} \\"
            )
        for row in members:
            cited = escape_name(table.names.row(row.name, True)) + (
                rf"~\cite{{{row.citation}}}" if row.citation else ""
            )
            lines.append(
                " & ".join(
                    [cited, *([str(row.year or "")] if years else []), *map(_cell, row.cells)]
                )
                + r" \\"
            )
    lines += [r"\bottomrule", r"\end{tabular}}"]
    if table.footnotes:
        remarks = [
            rf"\textsuperscript{{{letter}}}~{escape(text)}" for letter, text in table.footnotes
        ]
        lines += [
            r"\par\smallskip",
            (r"\scriptsize" if long else r"\footnotesize") + r"\raggedright",
            ";\n".join(remarks) + r".\par",
        ]
    lines += [r"\end{minipage}}", r"\end{table*}"]
    if table.notes:
        lines += [NOTES, r"\benchnotes{%", *(escape(note) + "." for note in table.notes), "}"]
    return "\n".join([*lines, ""])


def _cell(cell: TableCell) -> str:
    marks = [*([r"$\sim$"] if cell.tied else []), *cell.notes]
    notes = rf"\textsuperscript{{{','.join(marks)}}}" if marks else ""
    if cell.value is None:
        return ("--" if cell.mark == DASH else rf"\emph{{{escape(cell.mark)}}}") + notes
    value = {0: "{}", 1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}[cell.rank].format(cell.shown)
    value += cell.spread.replace("±", r"$\pm$")
    if cell.place:
        value += rf" {{\scriptsize({cell.place})}}"
    return value + notes
