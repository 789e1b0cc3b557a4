"""The BibTeX entries of the methods that come with bench: `references.bib`."""

from __future__ import annotations

import functools
import re
from pathlib import Path


@functools.cache
def _entries() -> dict[str, str]:
    text = Path(__file__).with_name("references.bib").read_text(encoding="utf-8")
    return {
        entry.partition("{")[2].partition(",")[0]: entry.strip()
        for entry in re.split(r"\n(?=@)", text)
    }


def bibtex(key: str) -> str:
    """Return the entry of a citation key, as it stands in the file."""
    return _entries()[key]
