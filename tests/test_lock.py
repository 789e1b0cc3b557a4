"""requirements.lock names every package that bench needs, in versions that pyproject.toml
allows."""

import importlib.util
import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins():
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_the_lock_fits_pyproject():
    """A new requirement, or a raised one, has to come into the lock."""
    found = pins()
    assert [*found] == sorted(found)
    for text in PROJECT["dependencies"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(found[normal(requirement.name)]), text


def test_the_lock_is_whole():
    """What is installed here and needed by what bench needs stands in it, and nothing else."""
    spec = importlib.util.spec_from_file_location("lock", ROOT / ".ci" / "lock.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert {*module.needed()} == {*pins()}


def test_the_image_uses_the_lock():
    """The Dockerfile installs these versions, on the Python that the package asks for."""
    text = (ROOT / "Dockerfile").read_text()
    assert "requirements.lock" in text
    (version,) = re.findall(r"^FROM python:([0-9.]+)-slim", text, re.MULTILINE)
    assert PROJECT["requires-python"] == f">={version}"
    missing = re.findall(r"missing\+=\((lib\S+)\)", (ROOT / ".ci" / "run").read_text())
    assert missing and all(package in text for package in missing)
