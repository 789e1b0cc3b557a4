"""The comparison as LaTeX: booktabs, best bold, second underlined."""

from __future__ import annotations

import unicodedata

from .comparison import TRIVIAL, Comparison, Entry

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
    "-": "-",
}


def escape(text: str) -> str:
    """Return text that LaTeX prints as it is. What pdflatex's fonts lack becomes its nearest letter, or a question mark."""
    plain = unicodedata.normalize("NFKD", " ".join(text.split()))
    ascii_text = "".join(letter if ord(letter) < 128 else "" if unicodedata.combining(letter) else "?" for letter in plain)
    return "".join(ESCAPES.get(letter, letter) for letter in ascii_text if letter.isprintable())


def to_latex(table: Comparison) -> str:
    r"""Return a `table` environment; needs \usepackage{booktabs} and \usepackage[T1]{fontenc}."""
    columns = len(table.columns)
    lines = [
        r"% needs \usepackage{booktabs} and \usepackage[T1]{fontenc}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape(table.caption)} Best in bold, second underlined, trivial methods aside.}}",
        rf"\begin{{tabular}}{{ll{'r' * columns}}}",
        r"\toprule",
        " & ".join(["Method", "Year", *(escape(column) for column in table.columns)]) + r" \\",
    ]
    for family, members in table.groups():
        lines.append(r"\midrule")
        lines.append(rf"\multicolumn{{{columns + 2}}}{{l}}{{\emph{{{escape(family)}}}}} \\")
        for line in members:
            cells = [escape(line.label), str(line.year or ""), *(_entry(entry, family == TRIVIAL) for entry in line.entries)]
            lines.append(" & ".join(cells) + r" \\")
    lines += [r"\bottomrule", r"\end{tabular}"]
    remarks = [rf"\textsuperscript{{{letter}}}~{escape(text)}" for letter, text in table.footnotes]
    remarks += [escape(note) + "." for note in table.notes]
    if remarks:
        lines += [
            r"\par\smallskip",
            r"\begin{minipage}{\linewidth}\footnotesize\raggedright",
            *(remark + r"\par" for remark in remarks),
            r"\end{minipage}",
        ]
    return "\n".join([*lines, r"\end{table}", ""])


def _entry(entry: Entry, trivial: bool) -> str:
    notes = rf"\textsuperscript{{{','.join(entry.notes)}}}" if entry.notes else ""
    if entry.mean is None:
        return ("--" if entry.mark == "-" else escape(entry.mark)) + notes
    value = f"{entry.mean * 100:.2f}"
    if not trivial and entry.rank == 1:
        value = rf"\textbf{{{value}}}"
    elif not trivial and entry.rank == 2:
        value = rf"\underline{{{value}}}"
    if entry.sd is not None:
        value += rf" $\pm$ {entry.sd * 100:.2f} ({entry.seeds})"
    return value + notes
