"""The whole report of a run: every table in every form, numbers for running text, figures, and the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..plugins.registry import Registry
from ..runs.files import write_text
from ..runs.folder import CellRecord, Run
from ..scoring.metrics import Metric
from ..scoring.protocols import Protocol
from .ablation import ablate
from .comparison import Comparison, compare
from .cost import speed
from .interval_table import intervals
from .latex import PREAMBLE, to_latex
from .localisation import localisation
from .macros import to_macros
from .operator import operator
from .published import bibliography
from .published_tables import ddl_table, with_columns, with_rows
from .results import Evidence
from .scenes import scenes
from .sensitivity import sensitivity
from .tables import to_markdown, to_text
from .tracks import TrackRegions, find_tracks


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


def open_source(run: Run, registry: Registry, protocol: Protocol, metric: Metric, tracks: Sequence[str] = ()) -> Source:
    """Read a run, and folders of tracks: DIR, or DATASET=DIR.

    Raises
    ------
    RequestError : a folder that has no tracks of a dataset of the run, or a line that is none.
    """
    evidence = Evidence(run)
    return Source(run, registry, protocol, metric, evidence, compare(run, protocol, metric, evidence), find_tracks(tracks, evidence))


@dataclass(frozen=True)
class Kind:
    """One kind of table."""

    about: str
    make: Callable[[Source], Sequence[Comparison]]
    absent: str
    """Why a run has none."""


def _of_comparison(make: Callable[[Comparison, Sequence[CellRecord]], Comparison | None]) -> Callable[[Source], Sequence[Comparison]]:
    """Return what makes one table, or none, of the comparison and the cells."""

    def made(source: Source) -> Sequence[Comparison]:
        table = make(source.comparison, source.evidence.cells)
        return [] if table is None else [table]

    return made


KINDS = {
    "comparison": Kind("methods and datasets under one protocol", lambda source: [source.comparison], ""),
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
        lambda source: intervals(source.run, source.protocol, source.metric, source.evidence),
        "intervals are given for auc alone, and where a cell has a number",
    ),
    "ablation": Kind(
        "the networks of the DDL paper and the variants of their training",
        _of_comparison(ablate),
        "no method of the run has a place in an ablation",
    ),
    "protocols": Kind(
        "every method under every protocol, and how the ranking changes",
        lambda source: list(sensitivity(source.run, source.registry, source.protocol, source.metric, source.evidence).values()),
        "no cell has a number",
    ),
    "scenes": Kind(
        "each scene of a dataset by itself",
        lambda source: scenes(source.run, source.protocol, source.metric, source.evidence),
        "no dataset of the run has more than one scene",
    ),
    "localisation": Kind(
        "where in the frame: pixel AUC, RBDC, TBDC",
        lambda source: localisation(source.run, source.evidence, source.tracks),
        "no cell kept regions; `bench run` with --keep regions keeps them",
    ),
    "operator": Kind(
        "events found, delay and false alarms with a threshold set on training scores",
        lambda source: operator(source.run, source.protocol, source.evidence),
        "no cell kept training scores; `bench run` with --keep train-scores keeps them",
    ),
    "speed": Kind("parameters, time and memory", lambda source: speed(source.evidence), "no cell is done"),
    "ddl-table1": Kind(
        "Table 1 of the DDL paper as printed, beside what was measured",
        _of_comparison(ddl_table),
        "no dataset of the run is one of the paper's",
    ),
}
"""Every kind of table, by the name that `--table` takes, in the order of the report."""


def write_kinds(source: Source, names: Sequence[str], folder: Path) -> tuple[list[Path], list[str]]:
    """Write tables as text, Markdown and LaTeX, the commands of `numbers.tex`, `references.bib`, and `all.tex`, which shows them all.

    Several tables of one kind (one a dataset) stand in one file.

    Returns the paths, and a sentence for each kind that this run has none of.
    """
    written, missing = [], []
    cited: set[str] = set()
    for name in names:
        tables = KINDS[name].make(source)
        if not tables:
            missing.append(f"{name}: {KINDS[name].absent}")
            continue
        cited |= {line.citation for table in tables for line in table.lines if line.citation}
        labels = [f"tab:{name}" + (f"-{number}" if number > 1 else "") for number in range(1, len(tables) + 1)]
        forms = {
            "txt": "\n\n".join(map(to_text, tables)),
            "md": "\n\n".join(map(to_markdown, tables)),
            "tex": "\n".join(to_latex(table, label) for table, label in zip(tables, labels)),
        }
        for form, content in forms.items():
            write_text(folder / f"{name}.{form}", content)
            written.append(folder / f"{name}.{form}")
    known = [(cls.info.citation, cls.info.bibtex) for cls in source.registry.methods.values() if cls.info.citation in cited]
    known += [(cell.citation, cell.bibtex) for cell in source.evidence.cells]
    entries = bibliography(sorted(cited)) | {key: bibtex.strip() for key, bibtex in known if bibtex}
    others = {
        "numbers.tex": to_macros(source.comparison, source.metric.name),
        "references.bib": "".join(f"{entries[key]}\n\n" for key in sorted(entries)).rstrip("\n") + "\n" * bool(entries),
        "all.tex": _document([path.stem for path in written if path.suffix == ".tex"]),
    }
    for file, content in others.items():
        write_text(folder / file, content)
        written.append(folder / file)
    return written, missing


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
