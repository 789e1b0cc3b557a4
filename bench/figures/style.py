"""What all figures share: sizes, colours, marks, and how they are drawn and saved.

seaborn draws the heat map. The other figures are drawn by matplotlib alone: they need no
statistics, and a row has one look in all of them.
"""

from __future__ import annotations

import base64
import contextlib
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import RequestError
from bench.files.whole_files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = Path(__file__).with_name("bench.mplstyle")
SINGLE, DOUBLE = 3.3, 7.0
"""Inches: one column and both columns of a paper (IEEE and CVF: 3.25 and 6.875)."""
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito, Color Universal Design (2008), without its yellow, which is lost on white."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1.2, 1, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
TRUTH = "#E69F00"
FORMS: dict[str, dict[str, None]] = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
"""The formats of figures, with what is left out of their files, so that equal figures are equal
bytes."""
ERRORS = "inferno"
"""Of error maps: its lightness never falls, so that it reads in gray."""


@dataclass(frozen=True)
class Drawn:
    """A figure, and what it shows; a notebook displays both."""

    name: str
    """Of its files."""
    dataset: str
    """The label of the dataset that it is about."""
    figure: Figure
    """matplotlib's, which may be changed before it is displayed or saved."""
    caption: str
    """Full sentences."""

    def save(self, path: str | Path) -> None:
        """Write the figure to a file, whose ending, .pdf or .png, says the format.

        Raises
        ------
        RequestError : another ending.
        RunError : the file cannot be written.
        """
        form = Path(path).suffix.lower().removeprefix(".")
        if form not in FORMS:
            raise RequestError(
                f"{path}: figures are written as {' or '.join(f'.{one}' for one in FORMS)}"
            )
        with styled():
            write_bytes(Path(path), encoded(self.figure, [form])[form])

    def __repr__(self) -> str:
        return f"<figure {self.name}: {self.caption}>"

    def _repr_html_(self) -> str:
        with styled():
            png = base64.b64encode(encoded(self.figure, ["png"])["png"]).decode()
        return (
            f'<figure><img src="data:image/png;base64,{png}" alt="{escape(self.name)}" '
            f'style="max-width:100%">'
            f"<figcaption>{escape(self.caption)}</figcaption></figure>"
        )


def line_look(number: int) -> dict[str, Any]:
    """Return colour and dashes of the line of a number; neighbours differ in both, and 28 numbers
    in one of them.
    """
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": DASHES[number % len(DASHES)]}


def point_look(number: int) -> dict[str, Any]:
    """Return colour and shape of the point of a number; 63 numbers differ in one of them."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw and save inside of this: the style file alone, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rc_file(STYLE, use_default_template=False)
        yield


def new_figure(width: float, height: float, **more: Any) -> Figure:
    """Return an empty figure, in inches; none of pyplot's, so that nothing stays open."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **{"layout": "constrained", **more})


def encoded(figure: Figure, forms: Iterable[str] = FORMS) -> dict[str, bytes]:
    """Return a figure in some of `FORMS`. Without dates and versions, so that equal figures are
    equal bytes.
    """
    files = {}
    figure.draw_without_rendering()
    figure.set_layout_engine(
        "none"
    )  # what is laid out stays so, and need not be done again for each form
    for form in forms:
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, metadata=FORMS[form])
        files[form] = buffer.getvalue()
    return files


def legend_below(figure: Figure, handles: Sequence[Any], labels: Sequence[str]) -> None:
    """Put a legend below all axes, in as many columns as fit, and make the figure higher by it;
    long names are broken.

    matplotlib leaves out what begins with an underscore: so the names are set afterwards.
    """
    width, height = figure.get_size_inches()
    letters = width * 72 / 3.6  # of DejaVu Sans at 6.5 points, on average
    broken = [wrapped(label, int(letters) - 8) for label in labels]
    longest = max(len(line) for label in broken for line in label.split("\n"))
    columns = max(1, min(len(labels), int(letters / (longest + 9))))
    # Filled column by column: as few columns as the rows need, so that the last is not short.
    columns = -(-len(labels) // -(-len(labels) // columns))
    legend = figure.legend(
        handles,
        [str(number) for number in range(len(labels))],
        loc="outside lower center",
        ncols=columns,
    )
    for text, label in zip(legend.get_texts(), broken):
        text.set_text(label)
    lines = sum(
        max(label.count("\n") + 1 for label in broken[row :: -(-len(labels) // columns)])
        for row in range(-(-len(labels) // columns))
    )
    figure.set_size_inches(width, height + 0.125 * lines + 0.06)


def shortened(label: str, letters: int) -> str:
    """Return a label of at most so many letters, cut in the middle."""
    half = (letters - 1) // 2
    return label if len(label) <= letters else f"{label[:half]}…{label[-half:]}"


def wrapped(label: str, width: int) -> str:
    """Return a label on one line or more, broken behind a bracket or comma, or where nothing else
    helps.
    """
    lines = [""]
    for piece in re.findall(r"[^,\[ ]*[,\[ ]|[^,\[ ]+", " ".join(label.split())):
        if lines[-1] and len(lines[-1]) + len(piece) > width:
            lines.append("")
        lines[-1] += piece
    return "\n".join(
        line[start : start + width].rstrip()
        for line in lines
        for start in range(0, max(1, len(line)), width)
    )


def slug(*parts: str) -> str:
    """Return a file name for names of methods, datasets and clips: letters, digits, and - . = _
    alone.
    """
    return "-".join(re.sub(r"[^A-Za-z0-9.=_-]+", "-", part).strip("-.") for part in parts)


def spans(labels: np.ndarray) -> list[tuple[int, int]]:
    """Return (first frame, frames) of each stretch of ones."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (labels == 1).astype(np.int8), [0]])))
    return [(int(first), int(end - first)) for first, end in zip(edges[::2], edges[1::2])]
