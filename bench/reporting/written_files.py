"""Which files were written, in a line a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bench.wording import wrapped


def wrote(written: Iterable[Path]) -> list[str]:
    """Return a line for each folder that files were written to, with their names; one for files of
    one stem: 'comparison.{md,tex,txt}'.
    """
    folders: dict[Path, dict[str, list[str]]] = {}
    for path in dict.fromkeys(written):
        ends = folders.setdefault(path.parent, {}).setdefault(path.stem, [])
        ends.append(path.suffix.removeprefix("."))
    lines = []
    for folder, stems in folders.items():
        names = [
            f"{stem}.{ends[0]}" if len(ends) == 1 else f"{stem}.{{{','.join(sorted(ends))}}}"
            for stem, ends in sorted(stems.items())
        ]
        lines.append(
            f"wrote {folder}/{names[0]}"
            if len(names) == 1
            else wrapped(f"wrote {folder}/: {', '.join(names)}", "", "  ")
        )
    return lines
