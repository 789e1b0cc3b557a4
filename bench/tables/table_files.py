"""The content of the files of a report's tables, by name; `bench.reporting` writes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.data_frames import results_frame, summary_frame
from bench.evaluation.measurements import Measurement
from bench.evaluation.published_numbers import bibliography
from bench.evaluation.summaries import summaries_of
from bench.plugins.selection import select_one
from bench.runs.table_options import FULL, TableOptions
from bench.tables.comparison import compare
from bench.tables.forms.latex import PREAMBLE, escape, to_latex
from bench.tables.forms.macros import to_macros
from bench.tables.forms.markdown import to_markdown
from bench.tables.forms.paper import notes_of, to_paper, without_paths
from bench.tables.forms.paper_layout import paper_table
from bench.tables.forms.side_by_side import COSTS, OF_REGIONS
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, Source
from bench.tables.table import Table
from bench.wording import listed

AT_ONCE = 50_000
"""Lines of results.csv that are made at once: about 100 MB of memory. Chosen here."""
NOTES = "-notes"
"""Behind the name of a table: the file with what its form for a paper leaves out."""


def question_name(source: Source) -> str:
    """Return the name of what a source asks, for paths; empty for AUC under the run's own protocol.

    A protocol gives its name, with 8 hex digits of a hash where that is more than small letters,
    digits and hyphens, and a metric follows behind '_': 'raw', 'raw_ap', '_ap',
    'median17-edge-zero-0c0b5f1e'.
    """
    try:
        own = select_one("protocols", source.run.manifest.protocol, source.registry).parameters
    except RequestError:  # that of a plugin which is not loaded
        own = None
    protocol = "" if source.protocol == own else _in_paths(source.protocol.name)
    return protocol + ("" if source.metric.name == "auc" else f"_{_in_paths(source.metric.name)}")


def _in_paths(name: str) -> str:
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return name
    return f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def stem_of(name: str, source: Source) -> str:
    """Return the name of the files of a kind of table; with tracks, which add columns, localisation
    has another one.
    """
    return f"{name}-tracks" if name == "localisation" and source.tracks else name


def kind_files(source: Source, name: str) -> dict[str, str]:
    """Return the files of one kind of table by name: text, Markdown and LaTeX; none where the run
    has no such table.

    Several tables of one kind (one a dataset) stand in one file.
    """
    tables = KINDS[name].make(source)
    if not tables:
        return {}
    options = source.run_scores.options
    stem = stem_of(name, source)
    label = "tab:" + "-".join(filter(None, [question_name(source), stem]))
    labels = [label + (f"-{number}" if number > 1 else "") for number in range(1, len(tables) + 1)]
    files = {
        f"{stem}.txt": "\n\n".join(map(to_text, tables)),
        f"{stem}.md": "\n\n".join(map(to_markdown, tables)),
    }
    if source.style == FULL:
        made = [to_latex(table, label) for table, label in zip(tables, labels)]
        return files | {f"{stem}.tex": "\n".join(made)}
    if name == "comparison":
        return files | _comparison_files(source, label, options)
    options = TableOptions(footnotes=options.footnotes)
    made = [to_paper(table, label, options) for table, label in zip(tables, labels)]
    notes = [notes_of(table, label, source.comparison) for table, label in zip(tables, labels)]
    return files | {f"{stem}.tex": "\n".join(made), f"{stem}{NOTES}.tex": "\n".join(notes)}


def _comparison_files(source: Source, label: str, options: TableOptions) -> dict[str, str]:
    """Return the comparison for a paper and its notes; where it has metrics that tracks change, it
    stands once without tracks, which a run does not keep, and once with them.
    """
    sources = {"comparison": replace(source, tracks={}, tracks_from=())}
    if source.tracks and {*OF_REGIONS} & {*options.metrics}:
        sources["comparison-tracks"] = source
    files: dict[str, str] = {}
    for stem, one in sources.items():
        table = paper_table(
            one.comparison,
            one.run_scores,
            one.registry,
            _others(one, options.metrics),
            one.metric,
        )
        here = label.removesuffix("comparison") + stem
        files |= {
            f"{stem}.tex": to_paper(table, here, options),
            f"{stem}{NOTES}.tex": notes_of(table, here),
        }
    return files


def _others(source: Source, metrics: Sequence[str]) -> dict[str, dict[str, Table]]:
    """Return metric -> dataset -> the table that holds it, of those that the comparison does
    not.
    """
    found: dict[str, dict[str, Table]] = {}
    for metric in metrics:
        if metric == source.metric.name:
            continue
        if metric in source.registry.metrics:
            table = compare(source.run_scores, source.protocol, source.registry.metrics[metric])
            found[metric] = dict.fromkeys(table.columns, table)
            continue
        kind = KINDS["speed" if metric in COSTS else "localisation"]
        found[metric] = {table.dataset: table for table in kind.make(source)}
    return found


def shared_files(
    source: Source, tables: Mapping[str, str], figures: Mapping[str, str]
) -> dict[str, str]:
    """Return what stands beside the LaTeX tables of one question: numbers.tex, references.bib,
    notes.tex, the appendix with all that the tables leave out, and all.tex, which shows everything.

    Parameters
    ----------
    tables : the name of each LaTeX file of a table, without its ending, and its content; notes of
        a table are the file whose name ends with `NOTES`.
    figures : the name of each figure, without its ending, and its caption.
    """
    cited = {key for text in tables.values() for key in re.findall(r"\\cite\{([^}]*)\}", text)}
    known = [
        (cls.info.citation, cls.info.bibtex)
        for cls in source.registry.methods.values()
        if cls.info.citation in cited
    ]
    known += [(cell.citation, cell.bibtex) for cell in source.run_scores.cells]
    entries = bibliography(sorted(cited)) | {key: bibtex.strip() for key, bibtex in known if bibtex}
    order = [(stem, name) for name in KINDS for stem in (name, f"{name}-tracks") if stem in tables]
    noted = [stem for stem, _ in order if f"{stem}{NOTES}" in tables]
    protocol = source.protocol.name if question_name(source).partition("_")[0] else ""
    return {
        "numbers.tex": to_macros(source.comparison, source.metric.name, protocol),
        "references.bib": "".join(f"{entries[key]}\n\n" for key in sorted(entries)).rstrip("\n")
        + "\n" * bool(entries),
        "notes.tex": _appendix(noted),
        "all.tex": _document(source, order, noted, figures),
    }


def number_files(source: Source, protocols: Sequence[Protocol]) -> dict[str, str]:
    """Return results.csv and summary.csv: every named protocol and these, under every metric."""
    every = {
        protocol.name: protocol for protocol in [*source.registry.protocols.values(), *protocols]
    }
    metrics = list(source.registry.metrics.values())
    found = source.run_scores.measure(every.values(), metrics, intervals=True)
    joined = [
        summary
        for protocol in every.values()
        for of_metrics in zip(*(summaries_of(source.run_scores, protocol, one) for one in metrics))
        for summary in of_metrics
    ]
    return {
        "results.csv": "".join(_lines_of(found)),
        "summary.csv": summary_frame(joined).to_csv(index=False, lineterminator="\n"),
    }


def _lines_of(measurements: Sequence[Measurement]) -> Iterator[str]:
    """Yield results.csv in parts: a run of 10,000 cells has millions of lines."""
    for first in range(0, max(len(measurements), 1), AT_ONCE):
        frame = results_frame(measurements[first : first + AT_ONCE])
        yield frame.to_csv(index=False, header=not first, lineterminator="\n")


def _appendix(noted: Sequence[str]) -> str:
    """Return the notes of all tables, as a section that a paper's appendix can take."""
    lines = [
        "% what the tables leave out; \\input{notes} in an appendix",
        r"\section*{Notes on the tables}",
        *(rf"\input{{{stem}{NOTES}}}" for stem in noted),
    ]
    return "\n".join([*lines, ""])


def _document(
    source: Source,
    order: Sequence[tuple[str, str]],
    noted: Sequence[str],
    figures: Mapping[str, str],
) -> str:
    """Return a document that shows tables, notes and figures: pdflatex all, bibtex all, pdflatex
    all twice.
    """
    names = [source.run_scores.names.heading(name) for name in source.comparison.columns]
    up = "../" * (2 if question_name(source) else 1)
    place = f"{up}figures/{question_name(source)}/".replace("//", "/")
    lines = [
        "% pdflatex all; another paper, or two columns:",
        r"% pdflatex -jobname all '\def\pages{letterpaper,twocolumn}\input{all}'",
        r"\providecommand{\pages}{a4paper}",
        r"\documentclass[10pt,\pages]{article}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}",
        PREAMBLE,
        r"\usepackage{caption}",
        r"\input{numbers}",
        r"\makeatletter",
        "% In one column nothing floats: notes stand below their table.",
        r"\if@twocolumn\else",
        r"\newenvironment{here}[2][]{\par\medskip\noindent\begin{minipage}{\linewidth}"
        r"\def\@captype{#2}\captionsetup{skip=4pt}}{\end{minipage}\par\medskip}",
        r"\renewenvironment{table}[1][]{\begin{here}{table}}{\end{here}}",
        r"\renewenvironment{table*}[1][]{\begin{here}{table}}{\end{here}}",
        r"\renewenvironment{figure}[1][]{\begin{here}{figure}}{\end{here}}",
        r"\fi",
        r"\raggedbottom",
        r"\makeatother",
        r"\renewcommand{\topfraction}{.95}\renewcommand{\dbltopfraction}{.95}",
        r"\renewcommand{\textfraction}{.1}\renewcommand{\dblfloatpagefraction}{.7}",
        rf"\title{{Video anomaly detection on {escape(listed(names))}}}",
        r"\author{}\date{}",
        r"\begin{document}",
        r"\maketitle",
        r"\sloppy",
    ]
    for stem, name in order:
        about = KINDS[name].about + (", with tracks" if stem != name else "")
        lines += [rf"\section{{{escape(about[:1].upper() + about[1:])}}}", rf"\input{{{stem}}}"]
        if stem in noted:
            lines.append(rf"{{\small\input{{{stem}{NOTES}}}}}")
    if figures:
        lines.append(r"\section{Figures}")
    for stem, caption in figures.items():
        lines += [
            r"\begin{figure}[tbp]",
            r"\centering",
            rf"\includegraphics[width=\linewidth,height=.42\textheight,keepaspectratio]{{{place}{stem}.pdf}}",
            rf"\caption{{{escape(without_paths(caption))}}}",
            r"\end{figure}",
        ]
    lines += [r"\bibliographystyle{plain}", r"\bibliography{references}", r"\end{document}", ""]
    return "\n".join(lines)
