"""The ablation table: networks down, variants of their training across, beside what their paper
prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.runs.records import CellRecord
from bench.tables.comparison import DASH, Comparison, Entry, Line

MEASURED = "measured here"


def ablate(table: Comparison, cells: Sequence[CellRecord]) -> Comparison | None:
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
    entries: dict[tuple[str, str, str], Entry] = {}
    for line in table.lines:
        if line.label in places:
            network, variant = places[line.label]
            entries |= {
                (network, column, variant): replace(entry, rank=0, tied=False)
                for column, entry in zip(table.columns, line.entries)
            }
    published = {
        (cell.ablation[0], cell.dataset, cell.ablation[1]): (
            cell.published["auc"],
            cell.published["source"],
        )
        for cell in cells
        if cell.ablation and cell.published
    }
    columns = [(column, variant) for column in table.columns for variant in variants]
    lines = [
        Line(
            network,
            MEASURED,
            None,
            tuple(entries.get((network, *column), Entry(mark=DASH)) for column in columns),
        )
        for network in networks
    ]
    source = ", ".join(dict.fromkeys(source for _, source in published.values()))
    lines += [
        Line(
            network,
            f"published ({source})",
            None,
            tuple(Entry(published.get((network, *column), (DASH,))[0]) for column in columns),
        )
        for network in dict.fromkeys(network for network, _, _ in published)
    ]
    used = {letter for line in lines for entry in line.entries for letter in entry.notes}
    return Comparison(
        [f"{column} {variant}" for column, variant in columns],
        lines,
        f"Ablation. {table.caption} Published numbers stand as printed, under the protocol of their paper.",
        [(letter, text) for letter, text in table.footnotes if letter in used],
        [],
    )


def place(cell: CellRecord) -> tuple[str, str]:
    """Return network, with the parameters that were given, and variant of a cell that has a place
    in an ablation.
    """
    return cell.ablation[0] + cell.label.removeprefix(cell.method), cell.ablation[1]
