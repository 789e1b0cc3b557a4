"""The ablation table: networks down, variants of their training across, beside what their paper
prints.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from bench.evaluation.row_names import run_behind
from bench.plugins.display_names import plain, with_values
from bench.runs.records import CellRecord
from bench.tables.table import DASH, NOTHING, Footnotes, Row, Table, TableCell, cell_as_printed

MEASURED = "measured here"


def ablation_table(
    table: Table, cells: Sequence[CellRecord], protocol: str, papers: Table | None
) -> Table | None:
    """Return the ablation of a comparison, its methods arranged by network and variant; None where
    none has such a place.

    Parameters
    ----------
    table : the comparison; its numbers and footnotes are taken over as they are.
    cells : of the run; `ablation` says the place of a method, `published` what its paper prints.
    protocol : the name of that of the comparison.
    papers : the same rows under the protocols of their papers (`under_paper_protocols`), whose
        numbers follow where that is another one; None for a metric that no paper prints, and then
        nothing published follows either.
    """
    places = places_of(cells)
    if not places:
        return None
    variants = list(dict.fromkeys(variant for _, variant in places.values()))
    columns = [(column, variant) for column in table.columns for variant in variants]
    shown = {MEASURED: _measured(table, places)}
    notes: list[str] = []
    said = ""
    if papers is not None:
        for used in dict.fromkeys(row.cells[-1].mark for row in papers.rows):
            if used not in (protocol, DASH):
                of_protocol = [row for row in papers.rows if row.cells[-1].mark == used]
                found = _measured(replace(papers, rows=of_protocol), places)
                if found:
                    shown[f"{MEASURED}, protocol {used}"] = found
                    notes += [one for one in papers.notes if one.startswith(f"{used}: ")]
        published, source = _published(cells, places)
        shown |= {"published": published} if published else {}
        said = f" Published: {source}, as printed." if published else ""
    rows = [
        Row(
            network,
            heading,
            None,
            tuple(found.get((network, *column), NOTHING) for column in columns),
        )
        for heading, found in shown.items()
        for network in dict.fromkeys(network for network, _, _ in found)
    ]
    return Table(
        [f"{column} {variant}" for column, variant in columns],
        rows,
        f"Ablation. {table.caption}{said}",
        Footnotes((papers or table).footnotes).used(rows),
        notes,
        names=table.names,
        short=f"Ablation: networks and variants of their training. {table.short}{said}",
    )


def _measured(
    table: Table, places: Mapping[str, tuple[str, str]]
) -> dict[tuple[str, str, str], TableCell]:
    """Return (network, dataset, variant) -> the number of the row that has this place."""
    return {
        (network, column, variant): replace(cell, rank=0, tied=False)
        for row in table.rows
        if row.name in places
        for network, variant in [places[row.name]]
        for column, cell in zip(table.columns, row.cells)
    }


def _published(
    cells: Sequence[CellRecord], places: Mapping[str, tuple[str, str]]
) -> tuple[dict[tuple[str, str, str], TableCell], str]:
    """Return what the papers print in the same way, and where that was read; where they print the
    same of all rows of a network and variant, once.
    """
    printed = [cell for cell in cells if cell.ablation and cell.published]
    said: dict[tuple[str, str, str], dict[str, CellRecord]] = {}
    for cell in printed:
        network, variant = cell.ablation
        auc = cell.published["auc"]
        said.setdefault((network, cell.dataset, variant), {}).setdefault(auc, cell)
    numbers = {
        (network if len(found) == 1 else places[cell.label][0], dataset, variant): cell_as_printed(
            auc
        )
        for (network, dataset, variant), found in said.items()
        for auc, cell in found.items()
    }
    return numbers, ", ".join(dict.fromkeys(cell.published["source"] for cell in printed))


def places_of(cells: Iterable[CellRecord]) -> dict[str, tuple[str, str]]:
    """Return label -> (network, variant), of the rows that have a place in an ablation; no two
    alike.

    Behind the network stand the parameters that were given; the run, of a row that a merged run
    keeps apart; and where two rows would still have one place, how they are called.
    """
    members = {cell.label: cell for cell in cells if cell.ablation}
    places = {
        label: (with_values(cell.ablation[0], cell.parameters_changed) + run_behind(cell), variant)
        for label, cell in members.items()
        for variant in [cell.ablation[1]]
    }
    taken = Counter(places.values())
    return {
        label: (f"{network}: {plain(members[label].display_name) or label}", variant)
        if taken[network, variant] > 1
        else (network, variant)
        for label, (network, variant) in places.items()
    }
