"""How much the protocol decides: every method under every protocol, and how the ranking changes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.contracts.metric import Metric
from bench.contracts.protocol import DEFAULT_PROTOCOL, Protocol
from bench.evaluation.row_names import RowNames
from bench.evaluation.run_scores import RunScores
from bench.evaluation.summaries import Summary, summaries_of
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.scoring.protocols import sentence
from bench.tables.table import DASH, MARKS, TRIVIAL, Row, Table, TableCell, as_printed, cell_of
from bench.wording import listed

BESIDES = tuple(
    f"{DEFAULT_PROTOCOL}[{choice}]" for choice in ("normalise=none", "edge=zero", "frames=common")
)
"""Beside the named protocols: what one choice alone changes."""


def protocol_ranking(
    run_scores: RunScores, registry: Registry, protocol: Protocol, metric: Metric
) -> dict[tuple[str, str], Table]:
    """Return (dataset, label set) -> table: methods down, protocols across, each number with its
    place in its column.

    Parameters
    ----------
    protocol : the one that rankings are compared with.
    """
    protocols = protocols_of(registry, protocol)
    found: dict[tuple[str, str], dict[str, dict[str, Summary]]] = {}
    for summary in (one for each in protocols for one in summaries_of(run_scores, each, metric)):
        by_label = found.setdefault((summary.dataset, summary.label_set), {})
        by_label.setdefault(summary.row, {})[summary.protocol] = summary
    tables = {
        (dataset, label_set): _table(label_set, by_label, protocols, metric, run_scores.names)
        for (dataset, label_set), by_label in found.items()
        if any(
            summary.mean is not None
            for of_label in by_label.values()
            for summary in of_label.values()
        )
    }
    _compare_label_sets(found, protocol, metric, tables, run_scores.names)
    return tables


def protocols_of(registry: Registry, protocol: Protocol) -> list[Protocol]:
    """Return the columns: the protocol that rankings are compared with, all named ones, and
    `BESIDES`.
    """
    named = [
        *registry.protocols.values(),
        *(select_one("protocols", text, registry).parameters for text in BESIDES),
    ]
    return list({one.name: one for one in [protocol, *named]}.values())


def _table(
    label_set: str,
    by_label: Mapping[str, Mapping[str, Summary]],
    protocols: Sequence[Protocol],
    metric: Metric,
    names: RowNames,
) -> Table:
    orders = {protocol.name: _order(by_label, protocol.name, metric) for protocol in protocols}
    rows = []
    dataset = next(iter(next(iter(by_label.values())).values())).dataset_name
    for label, of_label in by_label.items():
        cell = next(iter(of_label.values())).cell
        cells = tuple(
            _cell(of_label.get(protocol.name), orders[protocol.name]) for protocol in protocols
        )
        if any(one.value is not None for one in cells):
            rows.append(Row(label, cell.family, cell.year, cells))
    caption = (
        f"Protocol sensitivity on {dataset}, labels {label_set}. {metric.title} in percent under "
        "each protocol, "
        f"and in brackets the place among the methods, trivial ones excluded. "
        + " ".join(f"{protocol.name}: {sentence(protocol)}." for protocol in protocols)
    )
    notes = [
        note
        for protocol in protocols[1:]
        if (note := _changes(protocols[0].name, protocol.name, orders, names))
    ]
    return Table([protocol.name for protocol in protocols], rows, caption, [], notes, names=names)


def _order(
    by_label: Mapping[str, Mapping[str, Summary]], protocol: str, metric: Metric
) -> dict[str, tuple[int, float]]:
    """Return label -> (place from 1, number as printed); what prints alike has one place; trivial
    ones have none.
    """
    values = {
        label: as_printed(100 * mean)
        for label, of_label in by_label.items()
        if protocol in of_label
        and (mean := of_label[protocol].mean) is not None
        and of_label[protocol].cell.family != TRIVIAL
    }
    sign = -1 if metric.higher_is_better else 1
    return {
        label: (1 + sum(sign * other < sign * value for other in values.values()), value)
        for label, value in values.items()
    }


def _cell(summary: Summary | None, order: Mapping[str, tuple[int, float]]) -> TableCell:
    if summary is None or summary.mean is None:
        return TableCell(
            mark=MARKS.get(summary.missing[0].cell.status, DASH) if summary is not None else DASH
        )
    place = order.get(summary.row, (0, 0.0))[0]
    return replace(cell_of(summary), sd=None, place=place, rank=place if place in (1, 2) else 0)


def _changes(
    first: str,
    second: str,
    orders: Mapping[str, Mapping[str, tuple[int, float]]],
    names: RowNames,
) -> str:
    """Say how the ranking under one protocol differs from that under another; empty where it does
    not.
    """
    both = [label for label in orders[first] if label in orders[second]]
    pairs = list(itertools.combinations(both, 2))

    def swapped(pair: tuple[str, str]) -> bool:
        before, after = (
            orders[name][pair[0]][1] - orders[name][pair[1]][1] for name in (first, second)
        )
        return before * after < 0

    changed = [pair for pair in pairs if swapped(pair)]
    if not changed:
        return ""
    bests = [[label for label in both if orders[name][label][0] == 1] for name in (first, second)]
    best = (
        f"; the best is {listed(map(names.row, bests[1]))}, not {listed(map(names.row, bests[0]))}"
        if all(bests) and set(bests[0]) != set(bests[1])
        else ""
    )
    return (
        f"{second}: {len(changed)} of {len(pairs)} pairs of methods stand the other way round "
        f"than under {first}{best}"
    )


def _compare_label_sets(
    found: Mapping[tuple[str, str], Mapping[str, Mapping[str, Summary]]],
    protocol: Protocol,
    metric: Metric,
    tables: Mapping[tuple[str, str], Table],
    names: RowNames,
) -> None:
    """Add to the tables of a dataset with several label sets how these change the ranking under the
    protocol.
    """
    for dataset in dict.fromkeys(name for name, _ in found):
        sets = [label_set for name, label_set in found if name == dataset]
        orders = {
            label_set: _order(found[dataset, label_set], protocol.name, metric)
            for label_set in sets
        }
        for other in sets[1:]:
            note = _changes(sets[0], other, orders, names)
            text = note or f"{other}: the ranking is that under {sets[0]}"
            common = orders[sets[0]].keys() & orders[other].keys()
            if (dataset, other) in tables and len(common) > 1:
                tables[dataset, other].notes.append(f"labels {text} (protocol {protocol.name})")
