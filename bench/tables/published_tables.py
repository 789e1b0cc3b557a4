"""Tables with published numbers: as rows, beside measured ones, and the DDL paper's own Table 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.evaluation.published_numbers import RERUN, PublishedNumber, number_of, published_numbers
from bench.runs.records import CellRecord
from bench.tables.comparison import DASH, Comparison, Entry, Footnotes, Line

PUBLISHED = "published, not measured here"
AS_PRINTED = "Published numbers stand as printed, under the protocol of their source."
DDL_PAPER = "lappas2024ddl"
DDL_NOTES = (
    "the paper calls its 74.25 on ShanghaiTech the best of those compared; lntra-skip, which its table leaves out, prints 75.97",
    "the paper's numbers for pseudobound agree with those of steal (98.4, 87.1, 73.7) after rounding, and 98.44 equals the best of five "
    "repeats of steal: it seems to quote that variant",
    "the paper's references for the datasets are shifted by one: it cites Lu 2013 for Ped2, Sabokrou for Avenue, Liu 2018 for ShanghaiTech",
)
"""What a reader of the paper's Table 1 must know beside the notes of single numbers."""


def with_rows(table: Comparison, cells: Sequence[CellRecord]) -> Comparison:
    """Return the comparison with a row for each method that was not measured here and has a
    published number on any of its datasets.

    Numbers of high confidence stand plainly, those of medium with who quotes them; what is a
    conflict does not stand.
    """
    footnotes = Footnotes(table.footnotes)
    measured = {line.label for line in table.lines if any(entry.mean for entry in line.entries)}
    here = {cell.method for cell in cells if cell.label in measured}
    lines = []
    for key in dict.fromkeys(
        number.key for number in published_numbers() if not number.key.endswith(RERUN)
    ):
        numbers = [number_of(key, _name(column)) for column in table.columns]
        first = next((number for number in numbers if number is not None), None)
        if first is not None and key not in here:
            entries = tuple(_entry(number, footnotes) for number in numbers)
            lines.append(Line(key, PUBLISHED, int(first.year), entries, first.citation))
    lines.sort(key=lambda line: line.year or 0)
    rows = [line for line in table.lines if line.label in measured]
    return replace(
        table,
        lines=[*rows, *lines],
        caption=f"{table.caption} {AS_PRINTED}",
        footnotes=_used(footnotes, [*rows, *lines]),
    )


def with_columns(table: Comparison, cells: Sequence[CellRecord]) -> Comparison | None:
    """Return the comparison with three columns a dataset: what is published, what was measured
    here, and the difference.

    A row whose parameters the user changed has no published number. None where no row has one.
    """
    footnotes = Footnotes(table.footnotes)
    by_label = {cell.label: cell for cell in cells}
    lines = []
    for line in table.lines:
        entries: list[Entry] = []
        for column, measured in zip(table.columns, line.entries):
            cell = by_label[line.label]
            number = None if cell.parameters_changed else number_of(cell.method, _name(column))
            own = next(
                (cell for cell in cells if (cell.label, cell.dataset) == (line.label, column)), cell
            )
            published = _entry(number, footnotes) if number is not None else _own(own, footnotes)
            measured = (
                Entry(mark=DASH, notes=measured.notes)
                if own.status == "published only"
                else measured
            )
            entries += [published, measured, _difference(published, measured)]
        lines.append(replace(line, entries=tuple(entries)))
    if not any(published.mean for line in lines for published in line.entries[::3]):
        return None
    columns = [
        f"{column} {kind}"
        for column in table.columns
        for kind in ("published", "measured", "difference")
    ]
    caption = f"{table.caption} {AS_PRINTED} Difference: measured less published, in points."
    return replace(
        table, columns=columns, lines=lines, caption=caption, footnotes=_used(footnotes, lines)
    )


def ddl_table(table: Comparison, cells: Sequence[CellRecord]) -> Comparison | None:
    """Return Table 1 of the DDL paper as it is printed, whatever the confidence, beside what was
    measured here.

    None where no dataset of the run is one of the paper's.

    Parameters
    ----------
    table : the comparison; its numbers stand beside the printed ones, for rows without changed
        parameters.
    """
    printed = [
        number
        for number in published_numbers()
        if number.quoted_citation == DDL_PAPER and "1" in number.table
    ]
    datasets = dict.fromkeys(number.dataset for number in printed)
    if not any(_name(column) in datasets for column in table.columns):
        return None
    footnotes = Footnotes()
    measured = {
        (cell.method, _name(column)): line.entries[position]
        for line in table.lines
        for position, column in enumerate(table.columns)
        for cell in cells
        if cell.label == line.label and not cell.parameters_changed and line.entries[position].mean
    }
    here = [dataset for dataset in datasets if any(name == dataset for _, name in measured)]
    columns = [
        (dataset, kind)
        for dataset in datasets
        for kind in ("printed", *(("measured",) if dataset in here else ()))
    ]
    lines = []
    for key in dict.fromkeys(number.key for number in printed):
        of_key = {number.dataset: number for number in printed if number.key == key}
        first = next(iter(of_key.values()))
        entries = []
        for dataset, kind in columns:
            number = of_key.get(dataset)
            if kind == "measured":
                # Its letters belong to the comparison; here the number stands alone.
                entries.append(
                    replace(
                        measured.get((key, dataset), Entry(mark=DASH)), notes=(), rank=0, tied=False
                    )
                )
            elif number is None or not number.exists:
                entries.append(Entry(mark=DASH))
            else:
                remarks = [*([number.note] if number.note else []), *number.marks()]
                entries.append(
                    Entry(number.auc, notes=tuple(footnotes.letter(text) for text in remarks))
                )
        lines.append(Line(key, "", int(first.year), tuple(entries), first.citation))
    beside = f" Measured: {table.caption}" if here else ""
    caption = (
        "Table 1 of the DDL paper (Lappas et al. 2024), frame-level AUC in percent, digit by digit as printed, whatever can be said for or "
        f"against a number; it quotes all rows but its own from other papers, whose protocols differ.{beside}"
    )
    return Comparison(
        [f"{dataset} {kind}" for dataset, kind in columns],
        lines,
        caption,
        footnotes.listed(),
        list(DDL_NOTES),
    )


def _name(column: str) -> str:
    """Return the registered name of the dataset of a column."""
    return column.partition("[")[0]


def _entry(number: PublishedNumber | None, footnotes: Footnotes) -> Entry:
    if number is None:
        return Entry(mark=DASH)
    texts = [*number.marks(), *([number.said()] if number.confidence != "high" else [])]
    return Entry(number.auc, notes=tuple(footnotes.letter(text) for text in texts))


def _own(cell: CellRecord, footnotes: Footnotes) -> Entry:
    """Return the number that a method says of itself, where it is in no data file."""
    if "auc" not in cell.published or cell.parameters_changed:
        return Entry(mark=DASH)
    return Entry(
        cell.published["auc"],
        notes=(footnotes.letter(cell.published.get("source", "") or "the method's own word"),),
    )


def _difference(published: Entry, measured: Entry) -> Entry:
    try:
        difference = float(measured.mean) - float(published.mean)
    except ValueError:
        return Entry(mark=DASH)
    digits = min(len(entry.mean.partition(".")[2]) for entry in (published, measured))
    return Entry(f"{difference:+.{digits}f}")


def _used(footnotes: Footnotes, lines: Sequence[Line]) -> list[tuple[str, str]]:
    used = {letter for line in lines for entry in line.entries for letter in entry.notes}
    return [(letter, text) for letter, text in footnotes.listed() if letter in used]
