"""The kinds of tables that a report has, and what they are made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import Protocol
from bench.evaluation.anomaly_tracks import TrackRegions, find_tracks
from bench.evaluation.columns import MOST
from bench.evaluation.mixtures import mixtures
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import Registry
from bench.runs.folder import Run
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.runs.table_options import PAPER
from bench.scoring.intervals import METRIC
from bench.tables.comparison import compare
from bench.tables.paper_protocols import under_paper_protocols
from bench.tables.secondary.ablation_table import ablation_table
from bench.tables.secondary.alarms_table import alarm_tables
from bench.tables.secondary.epochs_table import epoch_tables
from bench.tables.secondary.interval_table import interval_tables
from bench.tables.secondary.localisation_table import localisation_tables
from bench.tables.secondary.protocol_ranking import protocol_ranking
from bench.tables.secondary.published_tables import (
    ddl_table,
    with_published_columns,
    with_published_rows,
)
from bench.tables.secondary.rank_table import rank_tables
from bench.tables.secondary.scenes_table import scene_tables
from bench.tables.secondary.speed_table import speed_tables
from bench.tables.secondary.variants_table import variant_tables
from bench.tables.table import Footnotes, Table


@dataclass(frozen=True)
class Source:
    """What a table is made from: a run, read once, under a protocol and a metric."""

    run: Run
    registry: Registry
    protocol: Protocol
    metric: Metric
    run_scores: RunScores
    comparison: Table
    tracks: Mapping[str, Mapping[str, TrackRegions]] = field(default_factory=dict)
    """Label of a dataset -> clip id -> tracks that the user brought."""
    tracks_from: tuple[str, ...] = ()
    """Where these came from, as the user said."""
    style: str = PAPER
    """Of the LaTeX tables, one of `STYLES`."""


def open_source(
    run: Run,
    registry: Registry,
    protocol: Protocol,
    metric: Metric,
    tracks: Sequence[str] = (),
    run_scores: RunScores | None = None,
) -> Source:
    """Read a run, where its `run_scores` were not read before, and folders of tracks: DIR, or
    DATASET=DIR.

    Raises
    ------
    RequestError : a folder that has no tracks of a dataset of the run, or a line that is none.
    """
    run_scores = run_scores or RunScores(run, registry)
    comparison = compare(run_scores, protocol, metric)
    return Source(
        run,
        registry,
        protocol,
        metric,
        run_scores,
        comparison,
        find_tracks(tracks, run_scores),
        tuple(tracks),
    )


@dataclass(frozen=True)
class Kind:
    """One kind of table."""

    about: str
    make: Callable[[Source], Sequence[Table]]
    absent: str
    """Why a run has none."""


def _one(table: Table | None) -> Sequence[Table]:
    return [] if table is None else [table]


def _papers(source: Source) -> Table:
    """Return the comparison with each row under the protocol of its paper."""
    return under_paper_protocols(
        source.run_scores, source.registry, source.comparison, source.protocol, source.metric
    )


def _published(
    make: Callable[[Table, Sequence[CellRecord]], Table | None],
    measured: Callable[[Source], Table],
) -> Callable[[Source], Sequence[Table]]:
    """Return what makes one table, or none, of published numbers, which are AUCs, beside measured
    ones.
    """

    def made(source: Source) -> Sequence[Table]:
        if source.metric.name != METRIC:
            return []
        return _one(make(measured(source), source.run_scores.cells))

    return made


def _ablation(source: Source) -> Sequence[Table]:
    """Return the ablation of networks, beside AUCs what its paper prints; and the rows of each
    method against ours.
    """
    papers = _papers(source) if source.metric.name == METRIC else None
    cells = source.run_scores.cells
    networks = ablation_table(source.comparison, cells, source.protocol.name, papers)
    variants = variant_tables(source.run_scores, source.comparison, source.protocol, source.metric)
    return [*_one(networks), *variants]


def _marked(
    make: Callable[[Source], Sequence[Table]],
) -> Callable[[Source], Sequence[Table]]:
    """Return what makes tables whose rows carry a footnote where their cells were not made alike.
    The comparison has its own.
    """

    def made(source: Source) -> Sequence[Table]:
        cells: dict[str, dict[str, list[CellRecord]]] = {}
        for cell in source.run_scores.cells:
            if cell.status == Status.DONE:
                cells.setdefault(cell.label, {}).setdefault(cell.dataset, []).append(cell)
        said = {
            label: [
                f"{source.run_scores.names.heading(dataset)}: {text}"
                for dataset, members in datasets.items()
                if (text := mixtures(members))
            ]
            for label, datasets in cells.items()
        }
        return [_with_notes(table, said) for table in make(source)]

    return made


def _with_notes(table: Table, said: Mapping[str, Sequence[str]]) -> Table:
    """Return a table with footnotes at the first number of each row that has any."""
    footnotes = Footnotes(table.footnotes)
    rows = []
    for row in table.rows:
        cells = list(row.cells)
        first = next((place for place, one in enumerate(cells) if one.value is not None), None)
        if first is not None and said.get(row.name):
            letters = map(footnotes.letter, said[row.name])
            cells[first] = replace(cells[first], notes=(*cells[first].notes, *letters))
        rows.append(replace(row, cells=tuple(cells)))
    return replace(table, rows=rows, footnotes=footnotes.listed())


KINDS = {
    "comparison": Kind(
        "methods and datasets under one protocol", lambda source: [source.comparison], ""
    ),
    "published-columns": Kind(
        "published, measured under the protocol of the paper, and the difference",
        _published(with_published_columns, _papers),
        "no cell of the run has a published number, or the metric is not auc",
    ),
    "published-rows": Kind(
        "the comparison, with published numbers of methods that were not measured",
        _published(with_published_rows, lambda source: source.comparison),
        "published numbers are of auc alone",
    ),
    "intervals": Kind(
        "intervals over clips, and the difference to the best with its interval and test",
        _marked(lambda source: interval_tables(source.run_scores, source.protocol, source.metric)),
        "intervals are given for auc alone, and where a cell has a number",
    ),
    "ranks": Kind(
        "where the rank of each row may lie, how often it is first, and what is not separated",
        _marked(lambda source: rank_tables(source.run_scores, source.protocol, source.metric)),
        f"ranks need AUC and 2 to {MOST} methods with a number, trivial ones not counted",
    ),
    "ablation": Kind(
        "networks and variants of their training; each method along one parameter",
        _ablation,
        "no method of the run has variants or several rows",
    ),
    "protocols": Kind(
        "every method under every protocol, and how the ranking changes",
        _marked(
            lambda source: list(
                protocol_ranking(
                    source.run_scores, source.registry, source.protocol, source.metric
                ).values()
            )
        ),
        "no cell has a number",
    ),
    "scenes": Kind(
        "each scene of a dataset by itself",
        _marked(lambda source: scene_tables(source.run_scores, source.protocol, source.metric)),
        "no dataset of the run has more than one scene",
    ),
    "localisation": Kind(
        "where in the frame: pixel AUC, RBDC, TBDC",
        _marked(lambda source: localisation_tables(source.run, source.run_scores, source.tracks)),
        "no cell kept regions; `bench run` with --keep regions keeps them",
    ),
    "operator": Kind(
        "events found, delay and false alarms with a threshold set on training scores",
        _marked(lambda source: alarm_tables(source.run, source.run_scores, source.protocol)),
        "no cell kept training scores; `bench run` with --keep train-scores keeps them",
    ),
    "epochs": Kind(
        "the last epoch, the best on the test clips (oracle), and the lowest training loss",
        _marked(
            lambda source: epoch_tables(
                source.run, source.run_scores, source.protocol, source.metric
            )
        ),
        "no cell kept the scores of its epochs; `bench run` with --keep epoch-scores keeps them",
    ),
    "speed": Kind(
        "parameters, time and memory",
        _marked(lambda source: speed_tables(source.run_scores)),
        "no cell is done",
    ),
    "ddl-table1": Kind(
        "Table 1 of the DDL paper as printed, beside what was measured",
        _published(ddl_table, _papers),
        "no dataset of the run is one of the paper's, or the metric is not auc",
    ),
}
"""Every kind of table, by the name that `--table` takes, in the order of the report."""
