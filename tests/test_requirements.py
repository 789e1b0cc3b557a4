"""What pyproject.toml declares: everything that is imported, each with a lowest version that `tox
-e lowest` installs."""

import ast
import importlib.metadata
import os
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = ("bench", "methods", "datasets")


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements):
    return {normal(re.match(r"[A-Za-z0-9._-]+", requirement)[0]) for requirement in requirements}


def imported(folders):
    """Top-level modules of others that the files below some folders import, anywhere in them, each
    with a file."""
    files = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "templates" not in path.parts
    ]
    own = (
        {path.stem for path in files}
        | {path.name for path in ROOT.iterdir() if path.is_dir()}
        | {"my_method", "my_dataset"}
    )
    found = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module]
            found |= {module.partition(".")[0]: str(file.relative_to(ROOT)) for module in modules}
    return {
        module: file
        for module, file in found.items()
        if module not in sys.stdlib_module_names | own
    }


@pytest.mark.parametrize(
    ("folders", "declared"),
    [
        (
            PACKAGES,
            [
                *PROJECT["dependencies"],
                *(
                    one
                    for extra in ("dask", "slurm", "tensorboard", "mlflow")
                    for one in EXTRAS[extra]
                ),
            ],
        ),
        (("tests", "benchmarks"), [*PROJECT["dependencies"], *EXTRAS["test"]]),
    ],
    ids=["packages", "tests"],
)
def test_what_is_imported_is_declared(folders, declared):
    """Not merely brought along by something that is."""
    modules = imported(folders)
    assert {"numpy", "cv2", "torch"} <= modules.keys()
    offered = importlib.metadata.packages_distributions()
    undeclared = {
        f"{module} ({file})": offered.get(module, ["not installed"])
        for module, file in modules.items()
        if (module, file)
        != (
            "pytest",
            "bench/testing/method_checks.py",
        )  # for plugins' own tests, which run in pytest
        and not names(declared) & {normal(name) for name in offered.get(module, [])}
    }
    assert undeclared == {}


def test_every_requirement_has_a_lowest_version():
    """Alone, or with an upper one: `uv pip install --resolution lowest-direct` takes the first
    version ever of what has none."""
    declared = [
        *PROJECT["dependencies"],
        *(one for extra in EXTRAS.values() for one in extra if one != "vad-bench[test]"),
    ]
    assert [
        one
        for one in declared
        if not re.fullmatch(r"[A-Za-z0-9._-]+>=[0-9][0-9a-z.]*(,<[0-9.]+)?", one)
    ] == []


@pytest.mark.skipif(
    "BENCH_TEST_LOWEST" not in os.environ, reason="tox -e lowest alone installs the lowest versions"
)
def test_the_lowest_versions_are_tried():
    """Each as declared: neither raised by another requirement, nor left out."""

    def numbers(version):
        return re.sub(r"(\.0)+$", "", version)

    declared = [
        one.partition(",")[0].split(">=") for one in [*PROJECT["dependencies"], *EXTRAS["test"]]
    ]
    installed = {name: importlib.metadata.version(name) for name, _ in declared}
    assert {
        name: found
        for name, found in installed.items()
        if numbers(found) != numbers(dict(declared)[name])
    } == {}


def test_extras_are_tested():
    """With the same versions, so that one environment tries all of them."""
    for extra in ("dask", "slurm", "tensorboard", "mlflow"):
        assert set(EXTRAS[extra]) <= set(EXTRAS["test"]), extra
