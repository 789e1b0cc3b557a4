"""The display names of the rows and datasets of a run: one for each, no two alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.evaluation.published_numbers import published_name
from bench.plugins.display_names import derived, plain, with_values
from bench.plugins.registry import Registry
from bench.plugins.syntax import parse
from bench.runs.records import CellRecord


@dataclass(frozen=True)
class RowNames:
    """Identifier -> display name, of the rows and of the datasets of a run."""

    rows: Mapping[str, str] = field(default_factory=dict)
    datasets: Mapping[str, str] = field(default_factory=dict)

    def row(self, label: str, formulas: bool = False) -> str:
        """Return the name of a row; of a method that is not in the run, the name that papers print.

        Parameters
        ----------
        formulas : keep formulas between dollar signs, for LaTeX; else they become text.
        """
        name = self.rows.get(label) or published_name(label)
        return name if formulas else plain(name)

    def heading(self, column: str, formulas: bool = False) -> str:
        """Return the heading of a column: in one that begins with the label of a dataset, the name
        of the dataset stands instead. `formulas` as in `row`.
        """
        for label in sorted(self.datasets, key=len, reverse=True):
            if column == label or column.startswith(label + " "):
                name = self.datasets[label]
                return (name if formulas else plain(name)) + column.removeprefix(label)
        return column

    def label_of(self, text: str) -> str:
        """Return the identifier of a row or dataset that is called so; the text itself where none
        is.
        """
        for names in (self.rows, self.datasets):
            if text in names:
                return text
        wanted = text.casefold()
        for names in (self.rows, self.datasets):
            for label, name in names.items():
                if wanted in (name.casefold(), plain(name).casefold()):
                    return label
        return text


def row_names(
    cells: Sequence[CellRecord], registry: Registry, chosen: Mapping[str, str]
) -> RowNames:
    """Return the names of a run. What table.toml says (`chosen`) comes first,
    then the name of a selection, then what the cell keeps; a cell of
    an earlier version gets the name that its method or dataset has now.
    """
    rows: dict[str, str] = {}
    for cell in cells:
        if cell.given_name or cell.label not in rows:
            rows[cell.label] = cell.given_name or _row_name(cell, registry)
    datasets: dict[str, str] = {}
    for cell in cells:
        if cell.dataset_given_name or cell.dataset not in datasets:
            datasets[cell.dataset] = cell.dataset_given_name or _dataset_name(cell, registry)
    for names in (rows, datasets):
        names |= {label: name for label, name in chosen.items() if label in names}
    return RowNames(_distinct(rows), _distinct(datasets))


def _row_name(cell: CellRecord, registry: Registry) -> str:
    name = cell.display_name or with_values(
        _registered(registry.methods, cell.method), cell.parameters_changed
    )
    return name + run_behind(cell)


def run_behind(cell: CellRecord) -> str:
    """Return ' (RUN)' of a row that merged runs keep apart by the name of its run; else nothing."""
    rest = cell.label.removeprefix(cell.method)
    behind = rest.rpartition("]")[2] if rest.startswith("[") else rest
    return behind if behind.startswith(" (") else ""


def _dataset_name(cell: CellRecord, registry: Registry) -> str:
    if cell.dataset_display_name:
        return cell.dataset_display_name
    (item, *_) = parse(cell.dataset)
    values = {key: "|".join(texts) for key, texts in (item.values or {}).items()}
    name = cell.dataset.partition("[")[0]
    return with_values(_registered(registry.datasets, name), values)


def _registered(table: Mapping[str, Any], name: str) -> str:
    return getattr(getattr(table.get(name), "info", None), "display_name", "") or derived(name)


def _distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names, those that would look alike with a number behind them."""
    taken: set[str] = set()
    found = {}
    for label, name in names.items():
        first, number = name, 1
        while plain(name).casefold() in taken:
            number += 1
            name = f"{first} ({number})"
        taken.add(plain(name).casefold())
        found[label] = name
    return found
