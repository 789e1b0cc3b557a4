"""The version stands in one place, and what repeats it repeats it rightly."""

import json
import re
from importlib.metadata import version
from pathlib import Path

import bench

ROOT = Path(__file__).parents[1]


def test_version_of_the_package():
    """What is installed is what `bench.__version__` says, and pyproject.toml has no number of its
    own."""
    assert version("vad-bench") == bench.__version__
    assert not re.search(r"^version = \"", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def test_citation_has_the_version():
    """CITATION.cff cites the version that is here."""
    (found,) = re.findall(r"^version: (.*)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert found == bench.__version__


def test_zenodo_says_what_the_citation_says():
    """.zenodo.json, which an archive reads at a release: version, title, keywords."""
    archive = json.loads((ROOT / ".zenodo.json").read_text())
    citation = (ROOT / "CITATION.cff").read_text()
    assert archive["version"] == bench.__version__ and archive["license"] == "MIT"
    assert f'title: "{archive["title"]}"' in citation
    assert re.findall(r"^  - ([^n].*)$", citation, re.MULTILINE) == archive["keywords"]


def test_changelog_has_the_version():
    """Below [Unreleased], the newest release that is named is not newer than the version; headings
    are in the form of Keep a Changelog."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(
        re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:]
    )
    assert not headings[1:] or headings[1].split("]")[0].strip("[") == bench.__version__
