"""Rows that show published numbers alone, and the bibliography of all rows."""

import re
from pathlib import Path

import bench.methods
from bench.methods.references import bibtex

from bench.evaluation.published_numbers import published_of
from bench.plugins.registry import load


def test_rows_without_a_specification_say_so_and_have_numbers():
    """They are in a group of their own, and name where their numbers were read."""
    registry = load()
    for name in registry.groups("methods")["published"]:
        cls = registry.methods[name]
        assert "no public specification" in cls.published_only
        assert published_of(name, cls.info)
        assert all(number.source for number in published_of(name, cls.info))


def test_every_cited_method_has_its_entry():
    """A method that names a paper ships the BibTeX entry with that key, and the entry has title and
    year."""
    for cls in load().methods.values():
        if cls.info.citation:
            assert cls.info.bibtex == bibtex(cls.info.citation), cls.name
            assert re.match(rf"@\w+{{{re.escape(cls.info.citation)},", cls.info.bibtex)
            assert f"{{{cls.info.year}}}" in cls.info.bibtex, cls.name


def test_entries_are_balanced_and_unique():
    """The file is one that BibTeX reads: braces close, keys differ."""
    text = (Path(bench.methods.__file__).parent / "references.bib").read_text()
    assert text.count("{") == text.count("}")
    keys = re.findall(r"@\w+{([^,]+),", text)
    assert len(keys) == len(set(keys))
