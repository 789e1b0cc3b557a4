"""`bench new`: what it writes works from the start, and what it refuses."""

import importlib.util
import os
import subprocess
import sys
import tomllib

import pytest
from click.testing import CliRunner
from forked import Command, bench

from bench import NetworkMethod
from bench.cli.setup.new import command
from bench.errors import RequestError
from bench.plugins.new_project import TABLE, write_project
from bench.plugins.registry import load


def run(folder, *words, code=0):
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, capture_output=True, text=True, timeout=280
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def said_by_pytest(folder, *words):
    """What `pytest WORDS` says there, in a fork that has imported torch."""
    first = (
        f"import pytest, sys; sys.exit(pytest.main({['-q', '-p', 'no:cacheprovider', *words]!r}))"
    )
    done = Command("--version", cwd=folder, first=first).end()
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def typed(folder, *words):
    done = bench(*words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", ["method", "network", "dataset"])
def test_project_works_from_the_start(tmp_path, monkeypatch, kind):
    """Its tests pass, its checks are green, and it gives a row, all without installing it."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, [kind, "night-walk"])
    assert (
        done.exit_code == 0
        and "next: cd night-walk && pip install -e . pytest && pytest" in done.output
    )
    folder = tmp_path / "night-walk"
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    assert project["project"]["name"] == "night-walk" and project["project"]["entry-points"] == {
        "bench": {"night-walk": "night_walk"}
    }
    assert not [
        path for path in folder.rglob("*") if path.is_file() and "my-" + kind in path.read_text()
    ]
    # What every method owes is asked of the network by `bench check` below.
    part = ("-k", "differ") if kind == "network" else ()
    assert "passed" in said_by_pytest(folder, *part)
    plugin = ("--plugin", "src/night_walk.py")
    if kind != "dataset":
        row = ("--methods", "night-walk", "--datasets", "demo-ped2", "--profile", "smoke")
    else:
        run(folder / "tests", "example", "../data")
        row = ("--methods", "frame-difference", "--datasets", "night-walk", "--profile", "smoke")
    checked = typed(folder, "check", "src/night_walk.py")
    assert kind != "method" or "its loss falls ... not asked: it has no network" in checked
    assert (
        "night-walk: " in checked
        and "... ok" in checked
        and checked.endswith("all checks passed\n")
    )
    table = typed(folder, "run", *row, *plugin, "--device", "cpu", "--threads", "1", "--out", "run")
    assert "Night walk" in table and "wrote run/tables/: all.tex, comparison.{md,tex,txt}" in table


@pytest.mark.parametrize("kind", ["method", "network", "dataset"])
def test_one_file_is_the_plugin(tmp_path, kind):
    """--file writes that of the project, which loads by itself."""
    (file,) = write_project(kind, "night-walk", load(), tmp_path, as_file=True)
    assert file == tmp_path / "night_walk.py" and list(tmp_path.iterdir()) == [file]
    registry = load([file])
    assert "night-walk" in registry.table(TABLE[kind]) and not registry.complaints()
    write_project(kind, "night-walk", load(), tmp_path)
    assert (tmp_path / "night-walk" / "src" / "night_walk.py").read_text() == file.read_text()


def test_a_network_in_the_project_of_a_method(tmp_path, monkeypatch):
    """The method's own test passes with a network swapped in."""
    for kind in ("method", "network"):
        write_project(kind, f"night-{kind}", load(), tmp_path)
    source = (tmp_path / "night-network" / "src" / "night_network.py").read_text()
    for old, new in (("Network", "Method"), ("network", "method")):
        source = source.replace(f"Night{old}", f"Night{new}").replace(
            f"night-{old}", f"night-{new}"
        )
    project = tmp_path / "night-method"
    (project / "src" / "night_method.py").write_text(source)
    monkeypatch.syspath_prepend(project / "src")
    spec = importlib.util.spec_from_file_location(
        "night_test", project / "tests" / "test_night_method.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert issubclass(module.NightMethod, NetworkMethod)
    module.test_frames_that_differ_from_training_score_higher(tmp_path / "scratch")
    monkeypatch.delitem(sys.modules, "night_method")


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (
            "method",
            "Night_Walk",
            "must be lower-case letters, digits and hyphens, beginning with a letter, like 'my-method'",
        ),
        ("network", "pca", "there is a method 'pca' already, from vad-bench"),
        ("network", "baseline", "is the name of a group of methods"),
        ("method", "3d", "beginning with a letter"),
        ("method", "../up", "must be lower-case"),
        ("method", "pca", "there is a method 'pca' already, from vad-bench"),
        ("dataset", "ped2", "there is a dataset 'ped2' already"),
        ("method", "baseline", "is the name of a group of methods"),
        ("method", "class", "would be the Python module 'class'"),
        ("method", "random", "would be the Python module 'random', and there is one of that name"),
        ("method", "numpy", "would be the Python module 'numpy'"),
        ("method", "taken", "taken is there already; choose another name"),
    ],
)
def test_names_are_checked(tmp_path, kind, name, text):
    """Bad names, taken ones, and folders that are there; nothing is written."""
    (tmp_path / "taken").mkdir()
    with pytest.raises(RequestError) as error:
        write_project(kind, name, load(), tmp_path)
    assert text in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_place_that_cannot_be_written(tmp_path):
    """Is told, with what to do."""
    with pytest.raises(RequestError, match="cannot write .*change to a folder that can be written"):
        write_project("method", "night-walk", load(), tmp_path / "nowhere")


@pytest.mark.long
def test_project_can_be_installed(tmp_path):
    """In an environment of its own that sees this one's packages: pip installs it, and bench lists
    and checks it by name."""
    write_project("method", "night-walk", load(), tmp_path)
    run(tmp_path, "venv", "--without-pip", "--system-site-packages", "env")
    python = tmp_path / "env" / "bin" / "python"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    run(
        tmp_path,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--target",
        site,
        "./night-walk",
    )
    done = subprocess.run(
        [python, "-m", "bench", "check", "night-walk"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        timeout=280,
    )
    assert done.returncode == 0 and "all checks passed" in done.stdout, done.stdout + done.stderr
