"""The ablation table: networks down, variants of their training across, beside what their paper
prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.plugins.display_names import with_values
from bench.runs.records import CellRecord
from bench.tables.table import NOTHING, Footnotes, Row, Table, TableCell, cell_as_printed

MEASURED = "measured here"


def ablation_table(table: Table, cells: Sequence[CellRecord]) -> Table | None:
    """Return the ablation of a comparison, its methods arranged by network and variant; None where
    none has such a place.

    Parameters
    ----------
    table : the comparison; its numbers and footnotes are taken over as they are.
    cells : of the run; `ablation` says the place of a method, `published` what its paper prints.
    """
    places = {cell.label: place(cell) for cell in cells if cell.ablation}
    if not places:
        return None
    networks = list(dict.fromkeys(network for network, _ in places.values()))
    variants = list(dict.fromkeys(variant for _, variant in places.values()))
    measured: dict[tuple[str, str, str], TableCell] = {}
    for row in table.rows:
        if row.name in places:
            network, variant = places[row.name]
            measured |= {
                (network, column, variant): replace(cell, rank=0, tied=False)
                for column, cell in zip(table.columns, row.cells)
            }
    published = {
        (cell.ablation[0], cell.dataset, cell.ablation[1]): (
            cell_as_printed(cell.published["auc"]),
            cell.published["source"],
        )
        for cell in cells
        if cell.ablation and cell.published
    }
    columns = [(column, variant) for column in table.columns for variant in variants]
    rows = [
        Row(
            network,
            MEASURED,
            None,
            tuple(measured.get((network, *column), NOTHING) for column in columns),
        )
        for network in networks
    ]
    source = ", ".join(dict.fromkeys(source for _, source in published.values()))
    rows += [
        Row(
            network,
            f"published ({source})",
            None,
            tuple(published.get((network, *column), (NOTHING,))[0] for column in columns),
        )
        for network in dict.fromkeys(network for network, _, _ in published)
    ]
    return Table(
        [f"{column} {variant}" for column, variant in columns],
        rows,
        f"Ablation. {table.caption} Published numbers stand as printed, under the protocol of "
        "their paper.",
        Footnotes(table.footnotes).used(rows),
        [],
        names=table.names,
    )


def place(cell: CellRecord) -> tuple[str, str]:
    """Return network, with the parameters that were given, and variant of a cell that has a place
    in an ablation.
    """
    return with_values(cell.ablation[0], cell.parameters_changed), cell.ablation[1]
