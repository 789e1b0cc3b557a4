"""The sources that a plugin file imports of its author's own: found however they are imported,
hashed, and run as they are."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bench.plugins.imported_files import imported_files
from bench.plugins.plugin_files import load_file
from bench.plugins.registry import load

BESIDE = "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent))\n"
PLUGIN = """
    import numpy as np
    from bench import Method, hookimpl

    class Mine(Method):
        name = "mine"
        needs = frozenset({"lengths"})

        def score(self, clip, context):
            return np.arange(clip.length) * 1.0

    @hookimpl
    def bench_methods():
        return [Mine]
"""


@pytest.fixture(autouse=True)
def as_before(monkeypatch, no_registry):
    """Leave the process's path, modules and registry as they were."""
    modules = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))


def found(folder: Path) -> set[str]:
    file = folder / "mine.py"
    source = file.read_bytes()
    return {
        str(path.relative_to(folder))
        for path in imported_files(file, source, load_file(file, source))
    }


@pytest.mark.parametrize(
    ("imports", "files", "expected"),
    [
        ("import helper", {"helper.py": ""}, {"helper.py"}),
        ("from helper import a", {"helper.py": "a = 1"}, {"helper.py"}),
        (
            "import helper",
            {"helper.py": "from second import b", "second.py": "b = 1", "third.py": ""},
            {"helper.py", "second.py"},
        ),
        (
            "from own.deep import leaf",
            {
                "own/__init__.py": "from . import side",
                "own/side.py": "",
                "own/deep/__init__.py": "",
                "own/deep/leaf.py": "from ..side import *",
            },
            {"own/__init__.py", "own/side.py", "own/deep/__init__.py", "own/deep/leaf.py"},
        ),
        (
            "from own import a",
            {"own/__init__.py": "a = 1", "own/other.py": ""},
            {"own/__init__.py"},
        ),
        ("import space.module", {"space/module.py": "", "space/other.py": ""}, {"space/module.py"}),
        ("def later():\n    import helper\n", {"helper.py": ""}, {"helper.py"}),
        (
            "def later():\n    from own.a import b\n",
            {"own/__init__.py": "", "own/a.py": ""},
            {"own/__init__.py", "own/a.py"},
        ),
        (
            "import importlib\nhelper = importlib.import_module('helper')",
            {"helper.py": ""},
            {"helper.py"},
        ),
        ("def later():\n    return __import__('helper')\n", {"helper.py": ""}, {"helper.py"}),
        (
            "sys.path.insert(0, str(Path(__file__).parent / 'lib'))\nimport helper",
            {"lib/helper.py": ""},
            {"lib/helper.py"},
        ),
        (
            "from importlib.util import module_from_spec, spec_from_file_location\n"
            "spec = spec_from_file_location('x', Path(__file__).with_name('parts.py'))\n"
            "parts = module_from_spec(spec)\nspec.loader.exec_module(parts)",
            {"parts.py": "import helper", "helper.py": ""},
            {"parts.py", "helper.py"},
        ),
        (
            "import json, numpy\nfrom bench.methods import pca\nfrom bench import Method",
            {"unused.py": ""},
            set(),
        ),
        ("def later():\n    import no_such_module\n", {}, set()),
        ("def later():\n    import broken\n", {"broken.py": "this is no Python"}, {"broken.py"}),
        ("import one", {"one.py": "import two", "two.py": "import one"}, {"one.py", "two.py"}),
    ],
)
def test_what_is_found(tmp_path, imports, files, expected):
    """By import statements anywhere, by calls with a name, and by what the loaded module holds;
    nothing that is installed."""
    write(tmp_path, {"mine.py": BESIDE + imports, **files})
    assert found(tmp_path) == expected


def test_a_name_that_is_installed_is_not_one_beside(tmp_path):
    """Where the folder is not searched first, Python takes the installed one."""
    write(tmp_path, {"mine.py": "import numpy", "numpy.py": ""})
    assert found(tmp_path) == set()


def test_a_changed_module_makes_another_hash(tmp_path):
    """That of the plugin follows each module, in the same process; a file that nothing imports
    changes nothing."""
    write(
        tmp_path,
        {
            "mine.py": BESIDE + "import helper\n" + textwrap.dedent(PLUGIN),
            "helper.py": "import second",
            "second.py": "x = 1",
        },
    )

    def of_plugin() -> str | None:
        return load([tmp_path / "mine.py"]).plugin("methods", "mine").sha256

    hashes = [of_plugin()]
    write(tmp_path, {"unused.py": "x = 1"})
    assert of_plugin() == hashes[0]
    for name in ("second.py", "helper.py"):
        write(tmp_path, {name: (tmp_path / name).read_text() + "\n"})
        hashes.append(of_plugin())
    assert None not in hashes and len(set(hashes)) == 3


def test_the_hash_does_not_depend_on_the_place(tmp_path):
    """The same files in another folder, as on another machine."""
    hashes = []
    for place in ("a", "b/c"):
        write(
            tmp_path / place,
            {"mine.py": BESIDE + "import helper\n" + textwrap.dedent(PLUGIN), "helper.py": "x = 1"},
        )
        (record,) = [
            one for one in load([tmp_path / place / "mine.py"]).plugins if one.file is not None
        ]
        hashes.append(record.sha256)
        del sys.modules["helper"]
    assert hashes[0] == hashes[1]


def test_what_is_hashed_is_what_runs(tmp_path, monkeypatch):
    """A module of the same size and time as its byte code is compiled anew, and no byte code is
    written."""
    write(
        tmp_path,
        {
            "mine.py": BESIDE + "import helper\n" + textwrap.dedent(PLUGIN),
            "helper.py": "value = 1\n",
        },
    )
    line = [
        sys.executable,
        "-c",
        "import sys; sys.path.insert(0, sys.argv[1]); import helper; print(helper.value)",
        str(tmp_path),
    ]
    os.utime(tmp_path / "helper.py", (1_700_000_000, 1_700_000_000))
    usual = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    assert (
        subprocess.run(line, check=True, capture_output=True, text=True, env=usual).stdout == "1\n"
    )
    compiled = list((tmp_path / "__pycache__").iterdir())
    (tmp_path / "helper.py").write_text("value = 2\n")
    os.utime(tmp_path / "helper.py", (1_700_000_000, 1_700_000_000))
    assert (
        subprocess.run(line, check=True, capture_output=True, text=True, env=usual).stdout == "1\n"
    )  # Python takes it for current
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    load([tmp_path / "mine.py"])
    assert sys.modules["helper"].value == 2
    assert list((tmp_path / "__pycache__").iterdir()) == compiled
