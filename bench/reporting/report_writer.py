"""The only writer of tables, figures and the page: each question has names of its own, and what is
stale is marked.

A question is a protocol and a metric. AUC under the run's own protocol is written to `tables/` and
`figures/` themselves, another question to a folder of its name below them (`question_name`), so
that no answer replaces another. `report.json` says of each file which question it answers, which
state of the run it was made from, and its SHA-256. Whatever is written, tables of an earlier state
of the run are made anew; figures and pages, which take longer, are marked.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.contracts.protocol import Protocol
from bench.errors import RequestError
from bench.evaluation.run_scores import RunScores
from bench.figures import kinds as drawing
from bench.figures.distinction import Remake
from bench.files.checksums import digest_of
from bench.files.whole_files import write_text
from bench.page.page import write_page
from bench.plugins.registry import Registry
from bench.plugins.selection import select_one
from bench.reporting.report_index import ReportIndex
from bench.runs.folder import Run
from bench.runs.layout import NUMBERS, ReportFiles
from bench.runs.table_options import PAPER
from bench.scoring.metrics import choose_metric
from bench.tables.comparison import compare
from bench.tables.kinds import KINDS, Source, open_source
from bench.tables.table_files import (
    NOTES,
    kind_files,
    number_files,
    question_name,
    shared_files,
    stem_of,
)

STALE = "STALE.txt"
"""Beside files that show the run as it was: which these are."""
_BANNER = '<p class="stale" role="alert">'


class ReportWriter:
    """A folder that a report is written to, the run's own or another. `finish` belongs to whatever
    was written.
    """

    def __init__(self, source: Source, folder: Path) -> None:
        self.source, self.files = source, ReportFiles(folder)
        self.index = ReportIndex(self.files)
        self.written: list[Path] = []
        self._touched: dict[str, Source] = {}
        self.left_out: list[str] = []
        """A sentence for each thing that this run has none of."""

    def tables(self, names: Iterable[str], source: Source | None = None) -> None:
        """Write kinds of tables as text, Markdown and LaTeX, and what stands beside them; of
        another source of the same run where given.
        """
        source = source or self.source
        question = question_name(source)
        place = self.files.tables(question)
        for name in names:
            files = kind_files(source, name)
            if not files:
                self.left_out.append(f"{name}: {KINDS[name].absent}")
            stems = {stem_of(name, source), *([f"{name}-tracks"] if source.tracks else [])}
            for stem in stems:
                for file in (f"{stem}.txt", f"{stem}.md", f"{stem}.tex", f"{stem}{NOTES}.tex"):
                    if file not in files:  # of an earlier state of the run, or of another style
                        self._remove(place / file)
            for file, content in files.items():
                self._put(place / file, content, question, source)
        self._touched[question] = source

    def numbers(self, protocols: Sequence[Protocol]) -> None:
        """Write results.csv and summary.csv, under these protocols beside those that are named, and
        those that were asked for before.
        """
        known = {
            protocol.name for protocol in [*self.source.registry.protocols.values(), *protocols]
        }
        before = self._unknown_before(known)
        asked = list(protocols)
        for name in dict.fromkeys(
            line["protocol"] for line in before.get(NUMBERS[0], []) if line["protocol"] not in known
        ):
            try:
                asked.append(select_one("protocols", name, self.source.registry).parameters)
            except (
                RequestError
            ):  # of a plugin that is not loaded: its lines stay where they are still true
                continue
        for name, text in number_files(self.source, asked).items():
            self._put(
                self.files.tables() / name,
                text + self._unknown_lines(name, text, before.get(name, [])),
                "",
            )

    def figures(self, names: Sequence[str], remake: Remake | None = None) -> None:
        """Draw kinds of figures; `remake` as `write_figures` takes it."""
        question = question_name(self.source)
        place = self.files.figures(question)
        written, missing = drawing.write_figures(self.source, names, place, remake)
        for path in written:
            self._note(path, question)
        self.left_out += missing
        if (self.files.tables(question) / "all.tex").is_file():
            self._touched.setdefault(question, self.source)

    def page(self) -> None:
        """Write the page."""
        question = question_name(self.source)
        written, missing = write_page(self.source, self.files.page(question), question)
        for path in written:
            self._note(path, question)
        self.left_out += missing

    def finish(self) -> list[Path]:
        """Make stale tables anew, mark what else is stale, write report.json, and return all paths
        that were written.
        """
        for path in [path for path in self.index.files if not (self.files.folder / path).is_file()]:
            del self.index.files[path]
        stale: dict[tuple[str, tuple[str, ...], str], list[str]] = {}
        for name in [*self.index.files, *self._unlisted()]:
            question, kind = self.files.table_question(name), table_kind(Path(name).stem)
            if question is not None and name.endswith(".tex") and kind and self._is_stale(name):
                tracks = self.index.files.get(name, {}).get("tracks", [])
                style = self.index.style(name)
                stale.setdefault((question, tuple(tracks), style), []).append(kind)
        numbers = [self.files.tables() / name for name in NUMBERS]
        if any(self._is_stale(self.files.name(path)) for path in numbers if path.is_file()):
            self.numbers([])
        for (question, tracks, style), names in stale.items():
            if (source := self._asked_again(question, tracks)) is not None:
                self.tables(sorted(set(names), key=list(KINDS).index), replace(source, style=style))
        for question, source in self._touched.items():
            for file, content in shared_files_of(self.files, question, source).items():
                self._put(self.files.tables(question) / file, content, question, source)
        self._mark()
        self.index.write()
        return list(dict.fromkeys(self.written))

    def _asked_again(self, question: str, tracks: Sequence[str]) -> Source | None:
        """Return the source of a question that was asked before, of the run as it is; None where it
        cannot be asked any more.
        """
        source = self.source
        if (question, tuple(tracks)) == (question_name(source), source.tracks_from):
            return source
        registry = source.registry
        try:
            if question:
                protocol = self.index.protocol(question)
                metric = choose_metric(
                    self.index.questions.get(question, {}).get("metric", ""), registry
                )
            else:
                protocol, metric = (
                    select_one("protocols", source.run.manifest.protocol, registry).parameters,
                    registry.metrics["auc"],
                )
            if protocol is None:
                return None
            again = open_source(source.run, registry, protocol, metric, tracks, source.run_scores)
        except RequestError:
            return None
        return again if question_name(again) == question else None

    # -- lines of results.csv ----------------------------------------------------------------------

    def _unknown_before(self, known: Container[str]) -> dict[str, list[dict[str, str]]]:
        """Return the lines that are there of other protocols than `known`, or of a metric that is
        not known here.
        """
        found = {}
        metrics = self.source.registry.metrics
        for name in NUMBERS:
            path = self.files.tables() / name
            if path.is_file():
                lines = csv.DictReader(
                    io.StringIO(path.read_text(encoding="utf-8", errors="replace"))
                )
                found[name] = [
                    line
                    for line in lines
                    if line.get("protocol")
                    and line.get("metric")
                    and not (line["protocol"] in known and line["metric"] in metrics)
                ]
        return found

    def _unknown_lines(self, name: str, text: str, before: Sequence[Mapping[str, str]]) -> str:
        """Return the lines of a protocol or metric that only a plugin knows, which is not loaded,
        where they are still true.
        """
        if not before:
            return ""
        columns = next(csv.reader(io.StringIO(text)))
        now = {(line["protocol"], line["metric"]) for line in csv.DictReader(io.StringIO(text))}
        unknown = [line for line in before if (line["protocol"], line["metric"]) not in now]
        if unknown and self._is_stale(self.files.name(self.files.tables() / name)):
            kinds = ", ".join(
                dict.fromkeys(f"{line['protocol']} {line['metric']}" for line in unknown)
            )
            self.left_out.append(
                f"{name}: lines of {kinds}: the run has changed, and what computes them is not loaded (--plugin)"
            )
            return ""
        kept = io.StringIO()
        writer = csv.DictWriter(kept, columns, lineterminator="\n", extrasaction="ignore")
        writer.writerows(unknown)
        return kept.getvalue()

    # -- files -------------------------------------------------------------------------------------

    def _put(self, path: Path, content: str, question: str, source: Source | None = None) -> None:
        write_text(path, content)
        self._note(path, question, source)

    def _note(self, path: Path, question: str, source: Source | None = None) -> None:
        source = source or self.source
        self.written.append(path)
        more: dict[str, Any] = (
            {"tracks": list(source.tracks_from)} if path.stem.endswith("-tracks") else {}
        )
        if path.suffix == ".tex" and table_kind(path.stem) and source.style != PAPER:
            more["style"] = source.style
        self.index.files[self.files.name(path)] = {
            "question": question, "evidence": source.run_scores.digest, "sha256": digest_of(path), **more
        }  # fmt: skip
        if question:  # the run's own question stands in run.json
            self.index.questions[question] = {
                "protocol": asdict(source.protocol),
                "metric": source.metric.name,
            }

    def _remove(self, path: Path) -> None:
        if path.is_file():
            path.unlink()
        self.index.files.pop(self.files.name(path), None)

    def _is_stale(self, name: str) -> bool:
        return self.index.files.get(name, {}).get("evidence") != self.source.run_scores.digest

    def _unlisted(self) -> list[str]:
        """Return tables, figures and page that no report.json tells of: those of earlier
        versions.
        """
        found = [
            path
            for pattern in ("*.tex", "*/*.tex")
            for path in self.files.tables().glob(pattern)
            if table_kind(path.stem)
        ]
        found += [
            path
            for path in self.files.figures().glob("*.pdf")
            if path.stem.partition("-")[0] in drawing.KINDS
        ]
        found += [page for page in [self.files.page()] if page.is_file()]
        names = map(self.files.name, found)
        return [name for name in names if name not in self.index.files]

    # -- marks -------------------------------------------------------------------------------------

    def _mark(self) -> None:
        """Say of what is stale, beside it or on it, that it is; take the word back where nothing is
        any more.
        """
        stale: dict[Path, list[str]] = {}
        for path in [*self.index.files, *self._unlisted()]:
            place = self.files.folder / path
            if self._is_stale(path):
                if place.suffix == ".html":
                    self._mark_page(place, path)
                else:
                    stale.setdefault(place.parent, []).append(place.name)
        for folder in {
            place.parent for place in self.files.folder.glob(f"*/**/{STALE}")
        } - stale.keys():
            (folder / STALE).unlink()
        for folder, names in stale.items():
            write_text(
                folder / STALE,
                f"{_SAID} Of that state are:\n" + "".join(f"  {name}\n" for name in sorted(names)),
            )
            self.written.append(folder / STALE)

    def _mark_page(self, page: Path, name: str) -> None:
        text = page.read_text(encoding="utf-8")
        if _BANNER in text:
            return
        untouched = self.index.files.get(name, {}).get("sha256") == digest_of(page)
        write_text(page, text.replace("<body>", f"<body>\n{_BANNER}{_SAID}</p>", 1))
        self.written.append(page)
        if untouched:
            self.index.files[name]["sha256"] = digest_of(page)


_SAID = (
    "The run has changed since this was made. `bench report` with the same options makes it anew."
)


def stale_note(written: Iterable[Path]) -> str:
    """Return what to say where figures or pages among what was written are of an earlier state of
    the run; empty where none is.
    """
    stale = [path for path in written if path.name == STALE or path.suffix == ".html"]
    return (
        f"of an earlier state of the run, and marked: {', '.join(map(str, stale))}; `bench report` makes them anew"
        if stale
        else ""
    )


def shared_files_of(files: ReportFiles, question: str, source: Source) -> dict[str, str]:
    """Return the content of what stands beside the LaTeX tables that are there."""
    place = files.tables(question)
    tables = {
        path.stem: path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(place.glob("*.tex"))
        if table_kind(path.stem.removesuffix(NOTES))
    }
    figures = {
        path.stem: " ".join(caption.read_text(encoding="utf-8", errors="replace").split())
        for path in sorted(files.figures(question).glob("*.pdf"))
        if (caption := path.with_suffix(".txt")).is_file()
    }
    return shared_files(source, tables, figures)


def table_kind(stem: str) -> str:
    """Return the kind of table that a file of this name holds, without its ending; empty for other
    files.
    """
    name = stem.removesuffix("-tracks")
    return name if name in KINDS else ""


def write_tables(
    run: Run,
    registry: Registry,
    protocols: Sequence[str] = (),
    metric: str = "auc",
    folder: Path | None = None,
    run_scores: RunScores | None = None,
) -> list[Path]:
    """Write results.csv, summary.csv, and the comparison and ablation under each of these
    protocols. Equal scores give equal bytes.

    Other tables that are there are made anew where the run has changed since.

    Parameters
    ----------
    protocols : selectors; none: that of the run.
    metric : of comparison and ablation.
    folder : where `tables/` is; None: the run's own.
    run_scores : of the run, where they have been read.

    Returns
    -------
    The paths of all files that were written.

    Raises
    ------
    RequestError : no such protocol or metric.
    RunError : a file cannot be written.
    """
    chosen = [
        select_one("protocols", text, registry).parameters
        for text in protocols or [run.manifest.protocol]
    ]
    measure = choose_metric(metric, registry)
    first = open_source(run, registry, chosen[0], measure, run_scores=run_scores)
    writer = ReportWriter(first, folder or run.path)
    writer.numbers(chosen)
    for protocol in chosen:
        source = replace(
            first,
            protocol=protocol,
            comparison=compare(first.run_scores, protocol, first.metric),
        )
        ablated = any(cell.ablation for cell in first.run_scores.cells)
        writer.tables(["comparison", *(["ablation"] if ablated else [])], source)
    return writer.finish()
