"""Digests of the owners' own files, one a clip, for `bench verify --full`.

`official_files.csv` was made from lists of the files of the official archives that public copies
keep (Git LFS pointers of UCSD, git blob ids of Avenue), compared with some of the files themselves.
A clip of images has `sha256sum CLIP/*.tif | cut -c1-64 | sha256sum`, a video
`git hash-object FILE`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from ..formats.csv_file import read_rows


@functools.cache
def official_files(dataset: str) -> Mapping[str, Mapping[str, str]]:
    """Return, for each split, clip id -> digest."""
    found: dict[str, dict[str, str]] = {}
    for _, (name, split, clip, digest) in read_rows(Path(__file__).with_suffix(".csv")):
        if name == dataset:
            found.setdefault(split, {})[clip] = digest
    return found
