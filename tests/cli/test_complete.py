"""What the shell offers behind a tab."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from bench.cli.main import bench
from bench.plugins.registry import load

TOYS = Path(__file__).parents[1] / "toys.py"


def offered(*words):
    *before, last = words
    return ShellComplete(bench, {}, "bench", "_BENCH_COMPLETE").get_completions(list(before), last)


def values(*words):
    return [item.value for item in offered(*words)]


def test_names_and_groups_with_help():
    """Every method and group; each with a few words."""
    found = {item.value: item.help for item in offered("run", "--methods", "")}
    registry = load()
    assert set(found) == set(registry.methods) | set(registry.groups("methods"))
    assert found["pca"] and found["trivial"].startswith("group: constant")
    assert values("run", "-d", "demo-p") == ["demo-ped2"]
    assert values("run", "--protocol", "macro") == ["macro17", "macro17-padded"]
    assert values("run", "--detector", "mo") == ["motion"] and values("run", "--profile", "sm") == [
        "small",
        "smoke",
    ]


def test_last_item_of_a_comma_list():
    """What stands before it stays, whatever its brackets hold; '-' takes away."""
    assert values("run", "--methods", "pca,c3dsu[latent=64,width=.5],frame-d") == [
        "pca,c3dsu[latent=64,width=.5],frame-difference"
    ]
    assert values("run", "--methods", "all,-frame-i") == ["all,-frame-index"]
    assert values("run", "--methods", "c3dsu[lat") == []


def test_names_by_kind_and_of_plugins():
    """`bench list KIND` and `bench check`; and what a file before it offers."""
    assert values("list", "creators", "pa") == ["patch"] and values("list", "metrics", "") == [
        "auc",
        "ap",
        "eer",
    ]
    assert values("check", "demo-p") == ["demo-ped2"]
    assert values("run", "--plugin", str(TOYS), "--methods", "brigh") == ["brightness"]
    assert values("report", "--table", "ddl") == ["ddl-table1"] and values(
        "score", "--metric", "e"
    ) == ["eer"]
    assert values("help", "pro") == ["protocols", "profiles"] and "verify" in values("help", "v")


def test_runs_below_results(tmp_path, monkeypatch):
    """Newest first with their commands; a damaged one is offered as well; elsewhere, folders."""
    monkeypatch.chdir(tmp_path)
    for name, content in (("20260101", '{"command": "bench run -m pca"}'), ("20260202", "{")):
        (tmp_path / "results" / name).mkdir(parents=True)
        (tmp_path / "results" / name / "run.json").write_text(content)
    (first, second) = offered("status", "res")
    assert (second.value, second.help) == (
        "results/20260101",
        "bench run -m pca",
    ) and first.value == "results/20260202"
    assert [item.type for item in offered("report", "/elsewhere")] == ["dir"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_answered_without_torch(shell):
    """As the script of each shell asks; what is imported is told by Python itself."""
    environment = {
        **os.environ, "_BENCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": "bench run --methods pca,frame-d", "COMP_CWORD": "pca,frame-d" if shell == "fish" else "3",
    }  # fmt: skip
    code = "import sys; sys.argv[0] = 'bench'; from bench.cli.main import bench\ntry: bench(prog_name='bench')\nfinally: assert 'torch' not in sys.modules"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.stderr == "" and "pca,frame-difference" in done.stdout
