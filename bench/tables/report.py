"""The tables of a report: what kinds there are, and the content of their files. `output` writes
them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.mixtures import mixtures
from bench.evaluation.published_numbers import bibliography
from bench.evaluation.results import Evidence, evaluate_run, results_frame, summary_frame
from bench.evaluation.tracks import TrackRegions, find_tracks
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.tables.ablation import ablate
from bench.tables.comparison import Comparison, Footnotes, compare
from bench.tables.cost import speed
from bench.tables.interval_table import intervals
from bench.tables.latex import PREAMBLE, to_latex
from bench.tables.localisation import localisation
from bench.tables.macros import to_macros
from bench.tables.operator import operator
from bench.tables.published_tables import ddl_table, with_columns, with_rows
from bench.tables.scenes import scenes
from bench.tables.sensitivity import sensitivity
from bench.tables.tables import to_markdown, to_text


@dataclass(frozen=True)
class Source:
    """What a table is made from: a run, read once, under a protocol and a metric."""

    run: Run
    registry: Registry
    protocol: Protocol
    metric: Metric
    evidence: Evidence
    comparison: Comparison
    tracks: Mapping[str, Mapping[str, TrackRegions]] = field(default_factory=dict)
    """Label of a dataset -> clip id -> tracks that the user brought."""
    tracks_from: tuple[str, ...] = ()
    """Where these came from, as the user said."""


def open_source(
    run: Run,
    registry: Registry,
    protocol: Protocol,
    metric: Metric,
    tracks: Sequence[str] = (),
    evidence: Evidence | None = None,
) -> Source:
    """Read a run, where its `evidence` was not read before, and folders of tracks: DIR, or
    DATASET=DIR.

    Raises
    ------
    RequestError : a folder that has no tracks of a dataset of the run, or a line that is none.
    """
    evidence = evidence or Evidence(run)
    comparison = compare(run, protocol, metric, evidence)
    return Source(
        run,
        registry,
        protocol,
        metric,
        evidence,
        comparison,
        find_tracks(tracks, evidence),
        tuple(tracks),
    )


@dataclass(frozen=True)
class Kind:
    """One kind of table."""

    about: str
    make: Callable[[Source], Sequence[Comparison]]
    absent: str
    """Why a run has none."""


def _of_comparison(
    make: Callable[[Comparison, Sequence[CellRecord]], Comparison | None],
) -> Callable[[Source], Sequence[Comparison]]:
    """Return what makes one table, or none, of the comparison and the cells."""

    def made(source: Source) -> Sequence[Comparison]:
        table = make(source.comparison, source.evidence.cells)
        return [] if table is None else [table]

    return made


def _marked(
    make: Callable[[Source], Sequence[Comparison]],
) -> Callable[[Source], Sequence[Comparison]]:
    """Return what makes tables whose rows carry a footnote where their cells were not made alike.
    The comparison has its own.
    """

    def made(source: Source) -> Sequence[Comparison]:
        cells: dict[str, dict[str, list[CellRecord]]] = {}
        for cell in source.evidence.cells:
            if cell.status == "done":
                cells.setdefault(cell.label, {}).setdefault(cell.dataset, []).append(cell)
        said = {
            label: [
                f"{dataset}: {text}"
                for dataset, members in datasets.items()
                if (text := mixtures(members))
            ]
            for label, datasets in cells.items()
        }
        return [_with_notes(table, said) for table in make(source)]

    return made


def _with_notes(table: Comparison, said: Mapping[str, Sequence[str]]) -> Comparison:
    """Return a table with footnotes at the first number of each row that has any."""
    footnotes = Footnotes(table.footnotes)
    lines = []
    for line in table.lines:
        entries = list(line.entries)
        place = next((number for number, entry in enumerate(entries) if entry.mean), None)
        if place is not None and said.get(line.label):
            letters = tuple(footnotes.letter(text) for text in said[line.label])
            entries[place] = replace(entries[place], notes=(*entries[place].notes, *letters))
        lines.append(replace(line, entries=tuple(entries)))
    return replace(table, lines=lines, footnotes=footnotes.listed())


KINDS = {
    "comparison": Kind(
        "methods and datasets under one protocol", lambda source: [source.comparison], ""
    ),
    "published-rows": Kind(
        "the comparison, with published numbers of methods that were not measured",
        _of_comparison(with_rows),
        "",
    ),
    "published-columns": Kind(
        "the comparison: published, measured, difference",
        _of_comparison(with_columns),
        "no cell of the run has a published number",
    ),
    "intervals": Kind(
        "intervals over clips, and the difference to the best with its interval and test",
        _marked(
            lambda source: intervals(source.run, source.protocol, source.metric, source.evidence)
        ),
        "intervals are given for auc alone, and where a cell has a number",
    ),
    "ablation": Kind(
        "the networks of the DDL paper and the variants of their training",
        _of_comparison(ablate),
        "no method of the run has a place in an ablation",
    ),
    "protocols": Kind(
        "every method under every protocol, and how the ranking changes",
        _marked(
            lambda source: list(
                sensitivity(
                    source.run, source.registry, source.protocol, source.metric, source.evidence
                ).values()
            )
        ),
        "no cell has a number",
    ),
    "scenes": Kind(
        "each scene of a dataset by itself",
        _marked(lambda source: scenes(source.run, source.protocol, source.metric, source.evidence)),
        "no dataset of the run has more than one scene",
    ),
    "localisation": Kind(
        "where in the frame: pixel AUC, RBDC, TBDC",
        _marked(lambda source: localisation(source.run, source.evidence, source.tracks)),
        "no cell kept regions; `bench run` with --keep regions keeps them",
    ),
    "operator": Kind(
        "events found, delay and false alarms with a threshold set on training scores",
        _marked(lambda source: operator(source.run, source.protocol, source.evidence)),
        "no cell kept training scores; `bench run` with --keep train-scores keeps them",
    ),
    "speed": Kind(
        "parameters, time and memory",
        _marked(lambda source: speed(source.evidence)),
        "no cell is done",
    ),
    "ddl-table1": Kind(
        "Table 1 of the DDL paper as printed, beside what was measured",
        _of_comparison(ddl_table),
        "no dataset of the run is one of the paper's",
    ),
}
"""Every kind of table, by the name that `--table` takes, in the order of the report."""


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
    known += [(cell.citation, cell.bibtex) for cell in source.evidence.cells]
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
    rows = evaluate_run(source.run, every.values(), metrics, source.evidence)
    return {
        "results.csv": results_frame(source.run, every.values(), metrics, rows).to_csv(
            index=False, lineterminator="\n"
        ),
        "summary.csv": summary_frame(rows).to_csv(index=False, lineterminator="\n"),
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
