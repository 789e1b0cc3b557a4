"""Every command and every block of code in README and docs/ is run on demo data, or is marked, with
the reason, and parsed.

The blocks of a page run in order in one folder, as a reader would go through them. Where a command
names a real dataset, its demo takes its place; below results/ lies a copy of the committed run, so
that commands about runs have a real one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest
from blocks import PAGES, ROOT, RUN, SHOWN, Block, blocks, commands_of, shell_of
from click.testing import CliRunner
from forked import write_shim

from bench import BenchError
from bench.cli.main import bench
from bench.plugins.profiles import PROFILES
from bench.plugins.registry import Registry, load
from bench.plugins.selection import select

BLOCKS = [block for page in PAGES for block in blocks(page)]
BENCH = Path(sys.executable).parent
DEMO = {
    "ped2": "demo-ped2",
    "avenue": "demo-avenue",
    "shanghaitech": "demo-shanghaitech",
    "all": "demo",
}
# What a kernel does: blocks in one namespace, one after the other; the last expression of a cell is
# shown. A block and its outcome are a line of JSON.
KERNEL = """
import ast, contextlib, doctest, io, json, sys, traceback
import matplotlib
matplotlib.use("Agg")
names, replies = {"__name__": "__main__"}, sys.stdout
for line in sys.stdin:
    block, shown, html, error = json.loads(line), io.StringIO(), None, ""
    try:
        with contextlib.redirect_stdout(shown):
            if block["language"] == "pycon":
                test = doctest.DocTestParser().get_doctest(block["text"], names, "page", "", 0)
                doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(test, clear_globs=False)
                names.update(test.globs)
                error = shown.getvalue()
            else:
                tree = ast.parse(block["text"])
                shows = isinstance(tree.body[-1], ast.Expr) and not block["text"].rstrip().endswith(";")
                last = ast.Expression(tree.body.pop().value) if shows else None
                exec(compile(tree, "block", "exec"), names)
                value = eval(compile(last, "block", "eval"), names) if last else None
                html = getattr(value, "_repr_html_", lambda: None)()
                print(repr(value) if value is not None else "", end="")
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps({"text": shown.getvalue(), "html": html, "error": error, "torch": "torch" in sys.modules}), file=replies, flush=True)
"""


class Session:
    """One page's folder and Python, in the way of a reader at a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value for name, value in os.environ.items() if not name.startswith("BENCH_")
        }
        (folder / "bin").mkdir()
        write_shim(folder / "bin" / "bench")
        self.environment |= {
            "PATH": f"{folder / 'bin'}:{BENCH}:{os.environ['PATH']}",
            "BENCH_CACHE": os.environ["BENCH_CACHE"],
            "MPLBACKEND": "Agg",
            "NO_COLOR": "1",
        }
        self.environment |= {"COLUMNS": "120", "TORCH_HOME": str(folder / "torch")}
        (folder / "tmp").mkdir()
        self.environment["TMPDIR"] = str(folder / "tmp")
        for name in ("ped2-small", "RUN"):  # as pages call a run of the reader's own
            shutil.copytree(ROOT / "results" / "ped2-small", folder / "results" / name)
        self._said = (folder / "stderr.txt").open("w")
        self._kernel: subprocess.Popen | None = None

    def run(self, block: Block) -> dict:
        """Run a block; what it shows comes back, and what it should not do raises."""
        if block.mark == "file":
            (self.folder / block.said).write_text(block.text)
            return {}
        if block.language in ("python", "pycon"):
            return self._python(block)
        for script, output in shell_of(block):
            script = script if block.mark == "exit code" else on_demo_data(script)
            done = subprocess.run(
                ["bash", "-e", "-c", script],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=3600,
            )
            assert done.returncode == block.exit_code, (
                f"{block.place}: {script}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
            if output:
                pattern = ".*".join(
                    re.escape("".join(part.split())) for part in output.split("...")
                )
                assert re.fullmatch(pattern, "".join(done.stdout.split()), re.DOTALL), (
                    f"{block.place}: {script}\n{done.stdout}"
                )
        return {}

    def _python(self, block: Block) -> dict:
        if self._kernel is None:
            self._kernel = subprocess.Popen(
                [sys.executable, "-c", KERNEL],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                text=True,
            )
        self._kernel.stdin.write(
            json.dumps({"language": block.language, "text": block.text}) + "\n"
        )
        self._kernel.stdin.flush()
        answer = json.loads(self._kernel.stdout.readline())
        assert not answer["error"], (
            f"{block.place}: {answer['error']}{(self.folder / 'stderr.txt').read_text()}"
        )
        return answer

    def close(self) -> None:
        """End the page's Python."""
        if self._kernel is not None:
            self._kernel.stdin.close()
            self._kernel.wait(timeout=60)
            self._kernel.stdout.close()
        self._said.close()


def on_demo_data(script: str) -> str:
    """Return the script with the demo in place of real datasets: in `--datasets`, and where a
    command takes datasets as its words."""

    def demo(found: re.Match) -> str:
        return found[1] + re.sub(
            r"(?<![\w-])(ped2|avenue|shanghaitech|all)(?![\w-])",
            lambda name: DEMO[name[1]],
            found[2],
        )

    script = re.sub(r"((?:--datasets|-d) )((?:'[^']*')|\S+)", demo, script)
    return re.sub(r"(bench (?:verify|prepare) )([\w,-]+)", demo, script)


@pytest.fixture
def session(tmp_path):
    """A reader's folder, and the committed run in it."""
    session = Session(tmp_path)
    yield session
    session.close()


def of_pages(condition):
    """Return the pages, as parameters of a test, that have a block of a kind."""
    pages = [page for page in PAGES if any(condition(block) for block in blocks(page))]
    return pytest.mark.parametrize("page", pages, ids=[page.name for page in pages])


@of_pages(lambda block: block.language in RUN and block.mark not in ("only parsed", "run apart"))
def test_blocks_run(page, session):
    """In order, in one folder. No Python of a page needs torch; the notebook shows its runs."""
    before = {*session.folder.iterdir()}
    answers = [
        session.run(block)
        for block in blocks(page)
        if block.language in RUN and block.mark not in ("only parsed", "run apart")
    ]
    assert not any(answer.get("torch") for answer in answers), "torch was imported"
    if page.suffix == ".ipynb":
        check_notebook(answers, (session.folder / "stderr.txt").read_text())
        assert {*session.folder.iterdir()} == before, "it left files in its folder"


def check_notebook(answers: list[dict], said: str) -> None:
    """The run shows itself as HTML with each row, the second one with the row that was added, and
    the others were not run again."""
    runs = [answer["html"] for answer in answers if "/study: " in answer["text"]]
    assert len(runs) == 2 and all(
        f">{name}</td>" in html
        for name in ("PCA", "Frame difference", "Frame index")
        for html in runs
    )
    assert ">Brightness</td>" in runs[1] and ">Brightness</td>" not in runs[0]
    assert "3 of 4 cells are done already" in said
    figures = [answer["html"] for answer in answers if answer["text"].startswith("<figure ")]
    assert len(figures) == 3 and all("data:image/png;base64," in html for html in figures)
    assert any(
        answer["text"].startswith("<auc 0.") and "median17" in answer["text"] for answer in answers
    )
    assert any(
        "Protocol minmax: min-max in each clip" in " ".join(answer["text"].split())
        for answer in answers
    )


def test_notebook_has_no_outputs():
    """Which no test would keep true."""
    cells = json.loads((ROOT / "docs" / "study.ipynb").read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]


@pytest.mark.long
@of_pages(lambda block: block.mark == "run apart")
def test_long_blocks_run(page, session):
    """The whole page, with what takes minutes."""
    for block in blocks(page):
        if block.language in RUN and block.mark != "only parsed":
            session.run(block)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"{block.page}:{block.line}" for block in BLOCKS])
def test_block_is_run_or_marked(block, tmp_path, monkeypatch):
    """Each is of a kind that is run, or for the eye alone; a mark has its reason; commands and
    Python can be parsed, whether they are run or not."""
    assert block.language in (*RUN, *SHOWN), (
        f"{block.place}: say what it is: ```{' or ```'.join((*RUN, *SHOWN))}"
    )
    assert not block.mark or len(block.said) > 5, (
        f"{block.place}: <!-- {block.mark} --> without a reason"
    )
    monkeypatch.chdir(tmp_path)
    if "--plugin" in block.text:
        write_plugins(block.page)
    if block.language == "python":
        compile(block.text, block.place, "exec")
    elif block.language == "toml":
        tomllib.loads(block.text)
    elif block.language in ("sh", "console"):
        for script, _ in shell_of(block):
            for words in commands_of(script):
                if words[0] == "bench":
                    parse(words[1:], block.place)


def write_plugins(page: str) -> None:
    """Write what a page saves as files, and the projects that it begins with `bench new`."""
    for block in BLOCKS:
        if block.page == page and block.mark == "file":
            Path(block.said).write_text(block.text)
        elif block.page == page and block.language == "sh":
            for words in commands_of(block.text):
                if words[:2] == ["bench", "new"]:
                    assert CliRunner().invoke(bench, words[1:]).exit_code == 0


def parse(words: list[str], place: str) -> None:
    """Parse a command line of bench as it would be, and its selections; no work begins."""
    if words in (["--help"], ["--version"]):
        return
    try:
        command = bench.get_command(click.Context(bench), words[0])
        assert command is not None, f"{place}: no command {words[0]!r}"
        given = [word for word in words[1:] if word not in ("--help", "-h")]
        values = (
            command.make_context(f"bench {words[0]}", given).params if given == words[1:] else {}
        )
        registry = load(values.get("plugin") or ())
        assert not registry.complaints(), registry.complaints()
        try:
            check_selections(words[0], values, registry)
        finally:
            load()
    except (click.ClickException, BenchError) as error:
        raise AssertionError(
            f"{place}: bench {' '.join(words)}: {getattr(error, 'message', error)}"
        ) from error


def check_selections(name: str, values: dict, registry: Registry) -> None:
    """Try methods, datasets, protocols and detectors of a command line, and its profile."""
    kinds = {
        "methods": "methods",
        "force": "methods",
        "datasets": "datasets",
        "protocol": "protocols",
        "detector": "detectors",
    }
    for option, kind in kinds.items():
        named = str(values.get(option))
        of_runs = name == "verify" and ("/" in named.partition("[")[0] or named.endswith(".zip"))
        if values.get(option) and not of_runs:
            select(kind, values[option], registry)
    assert values.get("profile") in (None, *PROFILES)
    if name == "list" and values["kind"] != "plugins":
        known = {
            *registry.table(values["kind"]),
            *(registry.groups(values["kind"]) if values["kind"] in ("methods", "datasets") else ()),
        }
        assert set(values["names"]) <= known, set(values["names"]) - known
    if name == "help" and values["topic"]:
        from bench.cli.main import COMMANDS
        from bench.cli.setup.help import TOPICS

        assert values["topic"] in {*TOPICS, *COMMANDS}
    if name == "report":
        from bench.figures.kinds import KINDS as figures
        from bench.tables.kinds import KINDS as tables

        assert set(values["tables"]) <= set(tables) and set(values["figures"]) <= set(figures)


def test_a_mistake_in_a_command_is_seen():
    """Unknown options, methods, datasets, commands and parameters fail though nothing is run."""
    for line in (
        "run --methods c3dsuu --datasets demo",
        "run --methods pca --datasets pde2",
        "run --methods pca --datasets demo --sedes 1",
        "run --methods 'c3dsu[latnet=1]' --datasets demo",
        "score --protocol medin17",
        "report --table comparisons",
        "list methods c3dsuu",
        "helpp",
    ):
        with pytest.raises(AssertionError):
            parse(commands_of(f"bench {line}")[0][1:], "here")


def test_datasets_become_their_demos():
    """In `--datasets` and behind `bench verify`, whole names alone."""
    assert (
        on_demo_data("bench run --methods all --datasets 'ped2,all'")
        == "bench run --methods all --datasets 'demo-ped2,demo'"
    )
    assert (
        on_demo_data("bench verify ped2 && bench run -d demo-ped2")
        == "bench verify demo-ped2 && bench run -d demo-ped2"
    )
