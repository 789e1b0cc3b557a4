"""Tables with published numbers: as rows, beside measured ones, and the DDL paper's own Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.evaluation.published_numbers import (
    RERUN,
    PublishedNumber,
    dataset_in_papers,
    number_of,
    published_dataset,
    published_numbers,
)
from bench.runs.records import CellRecord
from bench.runs.status import Status
from bench.tables.table import (
    DASH,
    NOTHING,
    PUBLISHED,
    Footnotes,
    Row,
    Table,
    TableCell,
    as_printed,
    cell_as_printed,
)

AS_PRINTED = "Published numbers stand as printed, under the protocol of their source."
DDL_PAPER = "lappas2024ddl"
DDL_NOTES = (
    "the paper calls its 74.25 on ShanghaiTech the best of those compared; lntra-skip, which its "
    "table leaves out, prints 75.97",
    "the paper's numbers for pseudobound agree with those of steal (98.4, 87.1, 73.7) after "
    "rounding, and 98.44 equals the best of five "
    "repeats of steal: it seems to quote that variant",
    "the paper's references for the datasets are shifted by one: it cites Lu 2013 for Ped2, "
    "Sabokrou for Avenue, Liu 2018 for ShanghaiTech",
)
"""What a reader of the paper's Table 1 must know beside the notes of single numbers."""


def with_published_rows(table: Table, cells: Sequence[CellRecord]) -> Table:
    """Return the comparison with a row for each method that was not measured here and has a
    published number on any of its datasets.

    Numbers of high confidence stand plainly, those of medium with who quotes them; what is a
    conflict does not stand.
    """
    footnotes = Footnotes(table.footnotes)
    measured = [row for row in table.rows if any(cell.value is not None for cell in row.cells)]
    names = {row.name for row in measured}
    here = {cell.method for cell in cells if cell.label in names}
    # A method that cannot run stands in the table with the number that it says of itself.
    cannot_run = {cell.label: cell.method for cell in cells if cell.status == Status.PUBLISHED_ONLY}
    own = {
        row.name: row
        for row in table.rows
        if row.name in cannot_run and any(cell.mark not in ("", DASH) for cell in row.cells)
    }
    published = []
    for key in dict.fromkeys(
        number.key for number in published_numbers() if not number.key.endswith(RERUN)
    ):
        numbers = [number_of(key, column) for column in table.columns]
        first = next((number for number in numbers if number is not None), None)
        if first is not None and key not in here:
            name = next((name for name in own if cannot_run[name] == key), None)
            said = (NOTHING,) * len(numbers) if name is None else own.pop(name).cells
            shown = tuple(
                beside if number is None else _published(number, footnotes)
                for number, beside in zip(numbers, said)
            )
            published.append(Row(key, PUBLISHED, int(first.year), shown, first.citation))
    published += [replace(row, family=PUBLISHED) for row in own.values()]
    rows = [*measured, *sorted(published, key=lambda row: row.year or 0)]
    return replace(
        table,
        rows=rows,
        caption=f"{table.caption} {AS_PRINTED}",
        footnotes=footnotes.used(rows),
    )


def with_published_columns(table: Table, cells: Sequence[CellRecord]) -> Table | None:
    """Return three columns a dataset: what is published, what was measured here, and the
    difference; and last the protocol of each row.

    A row whose parameters the user changed has no published number. None where no row has one.

    Parameters
    ----------
    table : the numbers under the protocols of the papers (`under_paper_protocols`).
    """
    footnotes = Footnotes(table.footnotes)
    by_label = {cell.label: cell for cell in cells}
    *datasets, last = table.columns
    rows = []
    for row in table.rows:
        shown: list[TableCell] = []
        for column, measured in zip(datasets, row.cells):
            cell = by_label[row.name]
            own = next(
                (cell for cell in cells if (cell.label, cell.dataset) == (row.name, column)),
                replace(cell, published={}),
            )
            auc, _, beside = published_number(own, column)
            published = (
                cell_as_printed(auc, tuple(map(footnotes.letter, beside))) if auc else NOTHING
            )
            measured = (
                replace(NOTHING, notes=measured.notes)
                if own.status == Status.PUBLISHED_ONLY
                else measured
            )
            shown += [published, measured, _difference(published, measured)]
        rows.append(replace(row, cells=(*shown, row.cells[-1])))
    if not any(published.value is not None for row in rows for published in row.cells[:-1:3]):
        return None
    columns = [
        f"{column} {kind}"
        for column in datasets
        for kind in ("published", "measured", "difference")
    ]
    caption = f"{table.caption} {AS_PRINTED} Difference: measured less published, in points."
    return replace(
        table,
        columns=[*columns, last],
        rows=rows,
        caption=caption,
        footnotes=footnotes.used(rows),
    )


def ddl_table(table: Table, cells: Sequence[CellRecord]) -> Table | None:
    """Return Table 1 of the DDL paper as it is printed, whatever the confidence, beside what was
    measured here.

    None where no dataset of the run is one of the paper's.

    Parameters
    ----------
    table : the numbers under the protocols of the papers (`under_paper_protocols`); they stand
        beside the printed ones, for rows without changed parameters.
    """
    printed = [
        number
        for number in published_numbers()
        if number.quoted_citation == DDL_PAPER and "1" in number.table
    ]
    datasets = dict.fromkeys(number.dataset for number in printed)
    if not any(dataset_in_papers(column) in datasets for column in table.columns):
        return None
    footnotes = Footnotes()
    texts = dict(table.footnotes)
    plain = {cell.label: cell.method for cell in cells if not cell.parameters_changed}
    measured: dict[tuple[str, str], tuple[TableCell, str]] = {}  # by label of row and dataset
    for row in table.rows:
        *numbers, used = row.cells
        said = [f"measured under {used.mark}", *(texts[letter] for letter in used.notes)]
        measured |= {
            (row.name, column): (found, "; ".join(said))
            for column, found in zip(table.columns, numbers)
            if row.name in plain and found.value is not None
        }
    here = {column for _, column in measured}
    columns = [
        (column, kind)
        for dataset in datasets
        for column, kind in [
            (dataset, "printed"),
            *(
                (column, "measured")
                for column in table.columns
                if column in here and dataset_in_papers(column) == dataset
            ),
        ]
    ]
    labels: dict[str, list[str]] = {}
    for label in dict.fromkeys(
        label for label, column in measured if dataset_in_papers(column) in datasets
    ):
        labels.setdefault(plain[label], []).append(label)
    rows = []
    for key in dict.fromkeys(number.key for number in printed):
        of_key = {number.dataset: number for number in printed if number.key == key}
        first = next(iter(of_key.values()))
        # Rows of one method that merged runs keep apart stand each beside what is printed.
        of_method = labels.get(key, [])
        for label in of_method or [key]:
            shown = []
            for column, kind in columns:
                number = of_key.get(column)
                if kind == "measured":
                    found, under = measured.get((label, column), (NOTHING, ""))
                    # Its letters belong to the other table; here one says the protocol.
                    notes = (footnotes.letter(under),) if under else ()
                    shown.append(replace(found, notes=notes))
                elif number is None or not number.exists:
                    shown.append(NOTHING)
                else:
                    remarks = [*([number.note] if number.note else []), *number.marks()]
                    shown.append(cell_as_printed(number.auc, tuple(map(footnotes.letter, remarks))))
            name = label if len(of_method) > 1 else key
            rows.append(Row(name, "", int(first.year), tuple(shown), first.citation))
    beside = f" Measured: {table.caption}" if here else ""
    caption = (
        "Table 1 of the DDL paper (Lappas et al. 2024), frame-level AUC in percent, digit by "
        "digit as printed, whatever can be said for or "
        "against a number; it quotes all rows but its own from other papers, whose protocols "
        f"differ.{beside}"
    )
    return Table(
        [f"{column} {kind}" for column, kind in columns],
        rows,
        caption,
        footnotes.listed(),
        [*DDL_NOTES, *(table.notes if here else ())],
        names=replace(
            table.names,
            datasets={name: published_dataset(name) for name in datasets}
            | dict(table.names.datasets),
        ),
        short="Table 1 of the DDL paper (Lappas et al. 2024) as printed: frame-level AUC (%)."
        + (
            " Measured: here, under the protocol of each paper, where that is known."
            if here
            else ""
        ),
    )


def _published(number: PublishedNumber | None, footnotes: Footnotes) -> TableCell:
    if number is None:
        return NOTHING
    texts = [*number.marks(), *([number.said()] if number.confidence != "high" else [])]
    return cell_as_printed(number.auc, tuple(map(footnotes.letter, texts)))


def published_number(cell: CellRecord, column: str) -> tuple[str, str, list[str]]:
    """Return the number that is published of a cell on a dataset as it is printed, or nothing; its
    source with all that is to be said of it; and what of this must stand beside it in a table.

    A row with changed parameters has none; one that is in no data file has what its method says
    of itself, or the user gave as a parameter.
    """
    number = None if cell.parameters_changed else number_of(cell.method, column)
    if number is not None:
        marks = number.marks()
        beside = [*marks, *([number.said()] if number.confidence != "high" else [])]
        return number.auc, "; ".join([number.said(), *marks]), beside
    changed = cell.parameters_changed and "published" not in cell.parameters_changed
    if "auc" not in cell.published or changed:
        return "", "", []
    source = cell.published.get("source", "") or "the method's own word"
    return cell.published["auc"], source, [source]


def _difference(published: TableCell, measured: TableCell) -> TableCell:
    """Return the difference of two numbers as they are printed, with the digits that both have."""
    if published.value is None or measured.value is None:
        return NOTHING
    digits = min(len(cell.shown.partition(".")[2]) for cell in (published, measured))
    return TableCell(as_printed(measured.value) - published.value, f"{{:+.{digits}f}}")
