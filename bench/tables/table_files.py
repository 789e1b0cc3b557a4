"""The content of the files of a report's tables, by name; `bench.reporting` writes them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.data_frames import results_frame, summary_frame
from bench.evaluation.published_numbers import bibliography
from bench.evaluation.summaries import summaries_of
from bench.plugins.selection import select_one
from bench.tables.forms.latex import PREAMBLE, to_latex
from bench.tables.forms.macros import to_macros
from bench.tables.forms.markdown import to_markdown
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, Source


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
    stem = stem_of(name, source)
    label = "tab:" + "-".join(filter(None, [question_name(source), stem]))
    labels = [label + (f"-{number}" if number > 1 else "") for number in range(1, len(tables) + 1)]
    return {
        f"{stem}.txt": "\n\n".join(map(to_text, tables)),
        f"{stem}.md": "\n\n".join(map(to_markdown, tables)),
        f"{stem}.tex": "\n".join(to_latex(table, label) for table, label in zip(tables, labels)),
    }


def shared_files(source: Source, tables: Mapping[str, str]) -> dict[str, str]:
    """Return what stands beside the LaTeX tables of one question: numbers.tex, references.bib, and
    all.tex, which shows them all.

    Parameters
    ----------
    tables : the name of each LaTeX file of a table, without its ending, and its content.
    """
    cited = {key for text in tables.values() for key in re.findall(r"\\cite\{([^}]*)\}", text)}
    known = [
        (cls.info.citation, cls.info.bibtex)
        for cls in source.registry.methods.values()
        if cls.info.citation in cited
    ]
    known += [(cell.citation, cell.bibtex) for cell in source.run_scores.cells]
    entries = bibliography(sorted(cited)) | {key: bibtex.strip() for key, bibtex in known if bibtex}
    order = [stem for name in KINDS for stem in (name, f"{name}-tracks") if stem in tables]
    protocol = source.protocol.name if question_name(source).partition("_")[0] else ""
    return {
        "numbers.tex": to_macros(source.comparison, source.metric.name, protocol),
        "references.bib": "".join(f"{entries[key]}\n\n" for key in sorted(entries)).rstrip("\n")
        + "\n" * bool(entries),
        "all.tex": _document(order),
    }


def number_files(source: Source, protocols: Sequence[Protocol]) -> dict[str, str]:
    """Return results.csv and summary.csv: every named protocol and these, under every metric."""
    every = {
        protocol.name: protocol for protocol in [*source.registry.protocols.values(), *protocols]
    }
    metrics = list(source.registry.metrics.values())
    found = source.run_scores.measure(every.values(), metrics)
    joined = [
        summary
        for protocol in every.values()
        for of_metrics in zip(*(summaries_of(source.run_scores, protocol, one) for one in metrics))
        for summary in of_metrics
    ]
    return {
        "results.csv": results_frame(found).to_csv(index=False, lineterminator="\n"),
        "summary.csv": summary_frame(joined).to_csv(index=False, lineterminator="\n"),
    }


def _document(names: Sequence[str]) -> str:
    """Return a document that shows the tables: pdflatex all, bibtex all, pdflatex all twice."""
    return "\n".join(
        [
            r"\documentclass[10pt]{article}",
            r"\usepackage[a4paper,margin=2cm]{geometry}",
            r"\IfFileExists{lmodern.sty}{\usepackage{lmodern}}{}",
            PREAMBLE,
            r"\input{numbers}",
            r"\begin{document}",
            *(rf"\input{{{name}}}\clearpage" for name in names),
            r"\bibliographystyle{plain}",
            r"\bibliography{references}",
            r"\end{document}",
            "",
        ]
    )
