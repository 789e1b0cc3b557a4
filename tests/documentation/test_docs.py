"""What the documentation says is so."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cli.main import COMMANDS
from bench.evaluation.data_frames import RESULT_COLUMNS
from bench.figures.kinds import KINDS as figure_kinds
from bench.frames.folders import VIDEO_ENDINGS
from bench.frames.image_files import IMAGE_ENDINGS
from bench.plugins import hookspecs
from bench.plugins.registry import load
from bench.runs.folder import Run
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    ROOT / "results" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Every relative link of a page is a file."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page):
    """Every `bench COMMAND` in a code block or quoted is a command."""
    for command in re.findall(r"^bench ([a-z]+)|`bench ([a-z]+)", page.read_text(), re.MULTILINE):
        assert "".join(command) in COMMANDS, f"{page.name}: bench {''.join(command)}"


def test_hooks_are_documented_with_their_arguments():
    """docs/plugins.md has a row for each hook, with exactly its arguments."""
    text = (ROOT / "docs" / "plugins.md").read_text()
    documented = dict(re.findall(r"^\| `(bench_\w+)\(([^)]*)\)`", text, re.MULTILINE))
    hooks = {
        name: hook
        for name, hook in vars(hookspecs).items()
        if name.startswith("bench_") and inspect.isfunction(hook)
    }
    assert documented == {
        name: ", ".join(inspect.signature(hook).parameters) for name, hook in hooks.items()
    }


def test_report_page_lists_what_a_report_has():
    """docs/report.md has a row for each kind of table and of figure, and for no other."""
    text = (ROOT / "docs" / "report.md").read_text()
    tables, figures = (
        re.findall(r"^\| `(\w[\w-]*)` \|", part, re.MULTILINE)
        for part in text.split("| `--figure` |")
    )
    assert tables == list(KINDS) and figures == list(figure_kinds)


def test_readme_begins_with_what_it_is_a_command_and_a_table():
    """The first screen: what it is, one command, ten rows of the table it writes, without
    footnotes."""
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:30])
    assert "pip install -e . && bench run --methods c3dsu,baseline --datasets demo" in screen
    table = screen.split("<!-- table -->")[1].split("<!-- end of table -->")[0]
    names = [line.split("|")[1].strip() for line in table.strip().splitlines()[2:]]
    methods = load().methods
    chosen = [methods["c3dsu"], *(methods[name] for name in load().groups("methods")["baseline"])]
    assert names == [cls.info.display_name for cls in chosen]
    assert "[" not in table and "<sup>" not in table


def test_evidence_of_the_readme_is_that_of_the_committed_runs():
    """Each number of Ped2 that it names stands in the tables of the run that it links, or in those
    that `bench report` makes of it."""
    readme = (ROOT / "README.md").read_text()
    text = readme.split("Under `median17`:")[1].split("## ")[0]
    small, medium = (
        (ROOT / "results" / name / "tables" / "comparison.txt").read_text()
        for name in ("ped2-small", "ped2-medium")
    )
    first, gains, last = (" ".join(part.split()) for part in text.split("\n- ")[1:])
    for number in re.findall(r"\d+\.\d+", first + last):
        assert number in small, number
    best, second, plain = (
        float(re.search(rf"{re.escape(name)} +(\d+\.\d+)", medium)[1])
        for name in ("C3DSU + SDL", "C3DSU + DDL", "C3DSU ")
    )
    assert f"{second - plain:.1f} to {best - plain:.1f} points" in gains
    (shown,) = re.findall(r"<!-- evidence -->(.*?)<!-- end", readme, re.DOTALL)
    run, registry = Run.open(ROOT / "results" / "ped2-small"), load()
    (table,) = KINDS["published-columns"].make(
        open_source(run, registry, registry.protocols["median17"], registry.metrics["auc"])
    )
    made = [
        re.split(" {2,}", line.strip())
        for line in re.sub(r"±.*?\)|\[[\w,]+\]", "  ", to_text(table)).splitlines()
    ]
    for row in shown.strip().splitlines()[2:]:
        name, published, measured, protocol = (
            cell.strip(" `").replace("–", "-") for cell in row.strip("|").split("|")
        )
        assert [[*line[:3], line[-1]] for line in made if line[0] == name] == [
            [name, published, measured, protocol]
        ]
    found = re.search(
        r"no better than the frame index on the same frames: (.*?)(note:|$)", small, re.DOTALL
    )
    worse = re.findall(r"([\w +-]+) \(\d", " ".join(found[1].split()))
    assert "{}, {} and {} are no better".format(*(name.strip() for name in worse)) in last
    of_medium = (ROOT / "results" / "ped2-medium" / "README.md").read_text()
    (reached,) = re.findall(r"DDL reaches (\S+) under `ddl`", readme)
    assert re.search(rf"C3DSU \+ DDL +98.46 +{reached}", of_medium)


def test_no_module_without_a_subject():
    """No utils, helpers, misc or common."""
    vague = {"utils.py", "helpers.py", "misc.py", "common.py"}
    assert not [
        path
        for folder in ("bench", "methods", "datasets")
        for path in (ROOT / folder).rglob("*.py")
        if path.name in vague
    ]


def test_method_modules_import_torch_inside_functions_only():
    """Networks and losses are the only modules of methods/ that import torch when they are
    imported."""
    for path in (ROOT / "methods").rglob("*.py"):
        if "networks" in path.parts or path.name == "losses.py":
            continue
        for node in ast.parse(path.read_text()).body:
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not [name for name in names if name.split(".")[0] == "torch"], path


def test_public_door_is_whole():
    """Every name of `bench.__all__` can be had, and importing bench imports no torch."""
    import bench

    for name in bench.__all__:
        assert getattr(bench, name) is not None
    code = "import sys, bench; bench.Method, bench.hookimpl, bench.Protocol, bench.NetworkMethod; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_type_checkers_see_the_same_public_door():
    """The stub imports every name from the module that `bench.NAMES` tells, and no other."""
    import bench

    told = {
        (f"bench.{module}", name)
        for modules in bench.NAMES.values()
        for module, names in modules.items()
        for name in names.split()
    }
    stub = ast.parse((ROOT / "bench" / "__init__.pyi").read_text())
    seen = {
        (node.module, alias.asname)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == told


def test_columns_are_those_of_the_design():
    """results.csv has its columns in this order."""
    assert (
        ",".join(RESULT_COLUMNS[:8]) == "method,dataset,scene,seed,label_set,protocol,metric,value"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_outside_links_are_well_formed(page):
    """Each is http(s) with a host and no blank; `tox -e docs-links` tries whether it answers."""
    from urllib.parse import urlsplit

    for target in re.findall(r"\]\((\w+:[^)]*)\)", page.read_text()):
        parts = urlsplit(target)
        assert (
            parts.scheme in ("http", "https")
            and "." in (parts.hostname or "")
            and not re.search(r"\s", target)
        ), target


def test_site_is_named_in_the_contents():
    """docs/index.md has every page of docs/, once."""
    text = (ROOT / "docs" / "index.md").read_text()
    listed = [
        line
        for part in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
        for line in part.splitlines()
        if line and line[0] != ":"
    ]
    pages = sorted(
        path.stem
        for path in (ROOT / "docs").iterdir()
        if path.suffix in (".md", ".ipynb") and path.stem != "index"
    )
    assert sorted(name for name in listed if "/" not in name) == pages


def test_endings_of_files_are_those_of_the_code():
    """docs/datasets.md lists every ending of a video and of an image."""
    page = (ROOT / "docs" / "datasets.md").read_text()
    videos, images = re.search(
        r"<!-- endings.*?-->(.*?)- images:(.*?)<!-- end of endings -->", page, re.DOTALL
    ).groups()
    assert (
        set(re.findall(r"`(\.\w+)`", videos)) == VIDEO_ENDINGS
        and set(re.findall(r"`(\.\w+)`", images)) == IMAGE_ENDINGS
    )
