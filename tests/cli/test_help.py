"""`bench help`: every topic, and that it says what is so."""

import re
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bench.cli.main import COMMANDS, bench
from bench.cli.setup.help import TOPICS
from bench.plugins.registry import load
from bench.runs.layout import FILE_DESCRIPTIONS
from bench.scoring.protocols import sentence

EVIDENCE = Path(__file__).parents[2] / "results" / "ped2-small"


def help_of(*words):
    done = CliRunner().invoke(bench, ["help", *words])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize("columns", [80, 100])
def test_topics_are_as_wide_as_the_terminal(topic, columns, monkeypatch):
    """Each has a text, is listed, and names only commands and topics that exist."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = help_of(topic)
    lines = [line for line in text.splitlines() if not line.startswith("  fish ")]  # a command
    assert len(lines) > 5 and max(map(len, lines)) <= columns
    assert f"  {topic}\n" in help_of()
    assert set(re.findall(r"(?:^  |`)bench (\w+)", text, re.MULTILINE)) <= set(COMMANDS)


def test_protocols_and_groups_are_those_of_the_code():
    """Every protocol in its own words; every group."""
    text = " ".join(help_of("protocols").split())
    for name, protocol in load().protocols.items():
        assert f" {name} {sentence(protocol)}" in text
    assert all(
        group in help_of("selections")
        for kind in ("methods", "datasets")
        for group in load().groups(kind)
    )


def test_files_are_those_of_a_run():
    """Every file of a committed run has its line, and every pattern is a place where runs write."""
    known = [re.escape(pattern) for pattern in FILE_DESCRIPTIONS]
    for word in ("NAME", "METHOD", "DATASET", "SEED"):
        known = [pattern.replace(word, r"[^/]+") for pattern in known]
    known = [pattern.replace(r"\{txt,md,tex\}", "(txt|md|tex|bib)") for pattern in known]
    files = [
        path.relative_to(EVIDENCE).as_posix() for path in EVIDENCE.rglob("*") if path.is_file()
    ]
    written = [file for file in files if file != "README.md"]
    assert len(written) > 50
    for file in written:
        assert any(re.fullmatch(pattern, file) for pattern in known), file


def test_a_command_is_explained_as_by_its_own_help():
    """`bench help verify` is `bench verify --help`."""
    assert (
        help_of("verify").rstrip()
        == CliRunner().invoke(bench, ["verify", "--help"]).output.rstrip()
    )


def test_unknown_topic():
    """With the nearest."""
    done = CliRunner().invoke(bench, ["help", "protocol"])
    assert done.exit_code == 2 and "no topic 'protocol' - did you mean 'protocols'?" in done.output


def test_commands_are_completed():
    """By the shell, without importing them."""
    found = ShellComplete(bench, {}, "bench", "_BENCH_COMPLETE").get_completions([], "re")
    assert [item.value for item in found] == ["report"]
    found = ShellComplete(bench, {}, "bench", "_BENCH_COMPLETE").get_completions([], "")
    assert [item.value for item in found] == list(COMMANDS)
