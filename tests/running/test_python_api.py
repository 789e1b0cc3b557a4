"""`bench.run` and `bench.load`: the same run as the command line makes, and what Python sees of
it."""

import base64
import re
import shlex
from pathlib import Path

import forked
import numpy as np
import pandas as pd
import pytest

import bench
from bench import RequestError, RunError
from bench.contracts.compute import OPTIONS, Compute
from bench.figures.kinds import write_figures
from bench.planning.request import Request
from bench.tables.kinds import open_source

TOYS = Path(__file__).parents[1] / "toys.py"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A working folder with a data folder."""
    folder = tmp_path_factory.mktemp("keywords")
    (folder / "data").mkdir()
    return folder


@pytest.fixture(scope="module")
def made(place):
    """A run made from Python, in a thread, as some notebooks run their cells."""
    from concurrent.futures import ThreadPoolExecutor

    arguments = {
        "seeds": [0, np.int64(1)],
        "plugin": TOYS,
        "data": place / "data",
        "out": place / "python",
        "device": "cpu",
        "threads": 1,
    }
    with ThreadPoolExecutor() as pool:
        return pool.submit(
            lambda: bench.run(["brightness", "bad[how=raise]", "frame-index"], "toy", **arguments)
        ).result()


def test_is_the_run_of_the_command_line(place, made):
    """The command that the run keeps, typed in a shell with another --out, gives the same scores
    and tables."""
    line = shlex.split(made._run.manifest.command)
    assert line[:2] == ["bench", "run"]
    line[line.index("--out") + 1] = str(place / "shell")
    done = forked.bench(*line[1:], cwd=place)
    assert done.returncode == 1, done.stderr  # one of the cells fails
    for name in ("results.csv", "comparison.txt"):
        assert (place / "shell" / "tables" / name).read_bytes() == (
            place / "python" / "tables" / name
        ).read_bytes()
    table = made.table()
    for row in table.rows:
        name, shown = table.row_name(row)[:12], row.cells[0].shown or row.cells[0].mark
        assert re.search(rf"{re.escape(name)}.*{re.escape(shown)}", done.stdout)


def test_frames_are_the_files(place, made):
    """`results` and `summary` are results.csv and summary.csv, byte for byte."""
    for name in ("results", "summary"):
        written = (place / "python" / "tables" / f"{name}.csv").read_text()
        assert getattr(made, name).to_csv(index=False, lineterminator="\n") == written
    assert isinstance(made.results, pd.DataFrame)


def test_scores_and_labels_give_the_number_of_the_table(made):
    """`bench.score` on what the run hands out is the line of results.csv."""
    for method, seed in (("brightness", 0), ("brightness", 1), ("frame-index", None)):
        lines = made.results.query(
            f"method == '{method}' and protocol == 'minmax' and metric == 'auc' and seed == {seed or 0}"
        )
        found = bench.score(
            made.scores(method, "toy", seed),
            made.labels("toy"),
            "minmax",
            scenes=made.scenes("toy"),
        )
        assert round(found, 6) == lines["value"].item()
        assert (found.frames, found.clips) == (lines["frames"].item(), lines["clips"].item())


def test_plots_are_the_figures_of_the_report(place, made, tmp_path):
    """The same bytes as `bench report` writes, under the protocol and for the dataset that is asked
    for; a notebook shows figure and caption, and what is not there is refused with its reason."""
    source = open_source(
        made._run, made._registry, made._chosen("raw"), made._registry.metrics["auc"]
    )
    write_figures(source, ["roc"], tmp_path)
    plot = made.plot("roc", protocol="raw", dataset="Toy")
    plot.save(tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == (tmp_path / "roc-toy.png").read_bytes()
    assert plot.caption + "\n" == (tmp_path / "roc-toy.txt").read_text()
    html = plot._repr_html_()
    assert base64.b64encode((tmp_path / "roc-toy.png").read_bytes()).decode() in html
    assert plot.caption.partition(";")[0] in html and repr(plot).startswith("<figure roc-toy: ROC")
    assert made.plot().name == "timelines-toy"
    with pytest.raises(RequestError, match=r"mine\.svg: figures are written as \.pdf or \.png"):
        plot.save(tmp_path / "mine.svg")
    for asked, text in (
        ({"figure": "rock"}, "no figure 'rock' - did you mean 'roc'"),
        ({"figure": "restoration"}, "bench report .* --figure restoration makes it"),
        ({"figure": "sigma"}, "sigma: "),
        ({"dataset": "ped2"}, "no dataset 'ped2'"),
        ({"protocol": "rawx"}, "no protocol 'rawx'"),
    ):
        with pytest.raises(RequestError, match=text):
            made.plot(**asked)


def test_load_is_what_run_returned(place, made):
    """Opened again: the same frames and text."""
    again = bench.load(str(place / "python"))
    pd.testing.assert_frame_equal(again.results, made.results)
    assert str(again.table("raw", "ap")) == str(made.table("raw", "ap")) != str(made.table())
    assert repr(again) == f"<run {place / 'python'}: 3 done, 2 failed>"


def test_html_is_whole_and_escaped(made):
    """Every number of the text stands in the HTML; names from files cannot become tags."""
    from dataclasses import replace

    from bench.tables.forms.html import to_html

    table = made.table()
    html = made._repr_html_()
    for row in table.rows:
        assert f">{table.row_name(row)}</td>" in html
        assert all((cell.shown or cell.mark) in html for cell in row.cells)
    evil = replace(table, columns=["<script>x</script>"], notes=["a & <b>"], caption="<img src=x>")
    shown = to_html(evil)
    assert "<script" not in shown and "<img" not in shown and "a &amp; &lt;b&gt;" in shown


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (
            lambda run: run.scores("brightnes", "toy"),
            "no row 'brightnes' - did you mean 'brightness'?",
        ),
        (
            lambda run: run.scores("brightness", "toys"),
            "no dataset 'toys' - did you mean 'toy'? (there are toy)",
        ),
        (lambda run: run.scores("brightness", "toy", 7), "has no seed 7 (there are 0, 1)"),
        (lambda run: run.labels("ped2"), "no dataset 'ped2' (there are toy)"),
        (lambda run: run.labels("toy", "pixel"), "toy: no label set 'pixel' (there are "),
        (lambda run: run.table("medin17"), "no protocol 'medin17' - did you mean"),
        (lambda run: run.table(metric="auk"), "no metric 'auk' - did you mean"),
    ],
)
def test_what_is_not_there_is_refused(made, ask, text):
    """With the nearest name, and what there is."""
    with pytest.raises(RequestError) as error:
        ask(made)
    assert text in str(error.value)


def test_a_failed_cell_has_no_scores(made):
    """Its status and reason are told."""
    with pytest.raises(RunError, match="seed 0, has no scores: failed"):
        made.scores("bad[how=raise]", "toy")


def test_no_run_is_refused(tmp_path):
    """A folder without run.json; a plugin file that is not there."""
    with pytest.raises(RunError, match=r"is not a run: it has no run\.json"):
        bench.load(tmp_path)


def test_mistakes_come_at_once(tmp_path):
    """Of selections and of numbers, before anything is written."""
    with pytest.raises(RequestError) as error:
        bench.run(
            "pcaa",
            "demo-pd2",
            seeds=[0.5],
            workers=0,
            threads=True,
            stall_limit="15m",
            keep="image",
            profile="smal",
            out=tmp_path / "x",
        )
    text = "\n".join(error.value.mistakes)
    for part in (
        "'pcaa'",
        "'demo-pd2'",
        "--seeds: 0.5",
        "--workers 0",
        "--threads True",
        "--stall-limit '15m'",
        "--keep: 'image'",
        "'smal'",
    ):
        assert part in text
    assert len(error.value.mistakes) == 8 and not (tmp_path / "x").exists()


def test_command_line_says_every_option():
    """A request with every option, read by the command line, is the same request."""

    from bench.cli.commands.run import command
    from bench.cli.options import take_compute

    request = Request(
        "pca,'x", "demo", (0, 2), "minmax", "small", "motion", Compute("cpu", 2, 4, "bf16", True), None, (Path("a b"), Path("c")), (Path("p.py"),),
        True, True, 90.0, 3600.0, "", "local", "", False, ("images",), "pca", Path("o"),
    )  # fmt: skip
    context = command.make_context("run", shlex.split(request.command_line())[2:])
    given = context.params
    assert given["seeds"] == "0,2" and given["plugin"] == request.plugins
    assert take_compute(given) == request.compute
    for name in set(vars(request)) - {"seeds", "plugins", "command", "compute"}:
        assert given[name] == getattr(request, name), name
    assert Request("pca", "demo").command_line() == "bench run --methods pca --datasets demo"


def test_every_option_of_computing_reaches_the_cells(tmp_path, monkeypatch):
    """Under its own name, and none is left out."""
    import bench.running.session

    given = {
        "device": "cpu",
        "threads": 2,
        "accumulate": 3,
        "precision": "bf16",
        "compile": True,
        "nondeterministic": True,
    }
    assert set(given) == {option.name for option in OPTIONS}

    class Planned(Exception):
        pass

    def plan_run(request, *_):
        raise Planned(request.compute)

    monkeypatch.setattr(bench.running.session, "plan_run", plan_run)
    with pytest.raises(Planned) as planned:
        bench.run("pca", "demo", out=tmp_path / "run", **given)
    (compute,) = planned.value.args
    assert {name: getattr(compute, name) for name in given} == given


def test_stopped_by_the_user(tmp_path, monkeypatch, capsys):
    """As any Python call: KeyboardInterrupt, and stderr says how to go on."""
    from bench.running.session import Runner

    monkeypatch.setattr(Runner, "execute", lambda self: True)
    with pytest.raises(KeyboardInterrupt, match="the same call goes on"):
        bench.run(
            "frame-index", "toy", plugin=TOYS, data=tmp_path, out=tmp_path / "run", device="cpu"
        )
    said = capsys.readouterr()
    assert (
        "To go on:\n  bench run --methods frame-index --datasets toy" in said.err and said.out == ""
    )
