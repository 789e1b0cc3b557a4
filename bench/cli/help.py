"""`bench help`: what the words of the command line mean. What the code knows is said from the
code.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

WIDTH = 100


@dataclass(frozen=True)
class Topic:
    """Something to be explained."""

    about: str
    text: Callable[[], str]


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and what they mean, as a man page sets them."""
    return "\n".join(
        f"  {name}\n"
        + textwrap.fill(
            text, WIDTH, initial_indent="      ", subsequent_indent="      ", break_on_hyphens=False
        )
        for name, text in rows
    )


def _selections() -> str:
    from bench.plugins.registry import load

    registry = load()
    groups = "\n".join(
        f"  groups of {kind}: {', '.join(registry.groups(kind))}"  # one line each: they are few words
        for kind in ("methods", "datasets")
    )
    return f"""\
--methods, --datasets, --protocol, --detector and --force take selections:

  NAME,NAME                     several, in this order
  GROUP                         all members of a group (bench list methods)
  -NAME                         takes one away again: all,-tsc
  NAME[key=value,key=value]     sets parameters (bench list methods NAME)
  NAME[key=a|b]                 one row for a, and one for b
  NAME[key="a, b"]              a value with commas or brackets in it

{textwrap.fill(groups, WIDTH, subsequent_indent="      ", replace_whitespace=False, break_on_hyphens=False)}

[ and | belong to the shell: put a selection that has them into single quotes.
The row of a table has the selector as its name. All mistakes of a request are told at once.

Examples:
  bench run --methods all,-trivial --datasets ped2,avenue
  bench run --methods 'c3dsu[anomaly_weight=static|learned]' --datasets ped2
  bench score --protocol 'median17,median17[edge=zero]'"""


def _protocols() -> str:
    from bench.contracts.protocol import Protocol
    from bench.plugins.registry import load
    from bench.plugins.selection import parameters_of
    from bench.scoring.protocols import sentence

    choices = [
        (entry.example, f"{entry.doc} ({entry.type_text}{entry.range_text})")
        for entry in parameters_of("protocols", Protocol("any"))
    ]
    return f"""\
A protocol is everything between scores and number. The same scores give other numbers under other
protocols, so a table states its own in words, and a run keeps the number under all of them.

{_listed((name, sentence(protocol)) for name, protocol in load().protocols.items())}

Each choice is a parameter, as in 'median17[edge=zero]':

{_listed(choices)}

Examples:
  bench score results/RUN --protocol minmax,raw    other protocols, without training
  bench report results/RUN --table protocols       all side by side, and how the ranking changes"""


def _metrics() -> str:
    from bench.plugins.registry import load

    rows = [
        (name, " ".join((metric.function.__doc__ or "").split()).removeprefix("Return "))
        for name, metric in load().metrics.items()
    ]
    return f"""\
The number itself, of the frames that a protocol pooled. One class alone has no number.

{_listed(rows)}"""


def _files() -> str:
    from bench.evaluation.results import RESULT_COLUMNS, SUMMARY_COLUMNS
    from bench.runs.layout import FILE_DESCRIPTIONS

    def columns(names: Iterable[str]) -> str:
        return textwrap.fill(", ".join(names), WIDTH, initial_indent="  ", subsequent_indent="  ")

    return f"""\
A run is a folder that holds all that is known of it; each file is written whole or not at all.

{_listed(FILE_DESCRIPTIONS.items())}

METHOD is the registered name, with 8 hex digits where parameters differ from the profile. Where
each scene has a model of its own, SCENE stands below SEED. Numbers in files are fractions, in
tables percent; what does not exist is empty.

Columns of results.csv:
{columns(RESULT_COLUMNS)}

Columns of summary.csv:
{columns(SUMMARY_COLUMNS)}

From Python: bench.load("results/RUN") gives both as pandas frames, and the scores."""


def _profiles() -> str:
    from bench.plugins.profiles import PROFILES

    rows = [(name, profile.meaning) for name, profile in PROFILES.items()]
    return f"""\
A profile is a named choice of all parameters of a method; what a selection sets goes before it.
Every table names its profile.

{_listed(rows)}

bench list methods NAME tells what each changes."""


def _environment() -> str:
    from bench.files.cache import cache_folder

    rows = [
        (
            "BENCH_DATA",
            "folders in which datasets are looked for, where --data is not given; several are separated as in PATH",
        ),
        (
            "BENCH_CACHE",
            f"where decoded frames, tracks and the demo datasets are kept; now {cache_folder()}",
        ),
        (
            "TORCH_HOME",
            "where weights of detectors and backbones are looked for; nothing is downloaded",
        ),
        ("NO_COLOR", "no colours"),
    ]
    return f"Variables that bench reads:\n\n{_listed(rows)}\n\nbench doctor shows what is found through them."


def _exit_codes() -> str:
    rows = [
        (
            "0",
            "every cell is done; a dataset of a group that is not there is a dash and changes nothing",
        ),
        ("1", "a cell failed, and the tables are written; or a file of a run cannot be read"),
        ("2", "the request cannot be understood or met; nothing was started"),
        ("3", "nothing could run"),
        ("130", "interrupted; the same command goes on"),
    ]
    return f"Exit codes of bench run:\n\n{_listed(rows)}"


def _completion() -> str:
    return """\
The shell completes commands, options, and the names of methods, datasets, protocols, detectors,
tables and runs. Switch it on once:

  bash    echo 'eval "$(_BENCH_COMPLETE=bash_source bench)"' >> ~/.bashrc
  zsh     echo 'eval "$(_BENCH_COMPLETE=zsh_source bench)"' >> ~/.zshrc
  fish    _BENCH_COMPLETE=fish_source bench > ~/.config/fish/completions/bench.fish

then open a new shell. Of a comma list the last item is completed; behind --plugin FILE, what the
file offers as well."""


TOPICS = {
    "selections": Topic(
        "how methods, datasets, protocols and detectors are named, with parameters", _selections
    ),
    "protocols": Topic("what happens between scores and number", _protocols),
    "metrics": Topic("what the numbers are", _metrics),
    "profiles": Topic("named choices of all parameters of a method", _profiles),
    "files": Topic("what is in a run's folder", _files),
    "environment": Topic("variables that bench reads", _environment),
    "exit-codes": Topic("what the exit code of bench run means", _exit_codes),
    "completion": Topic("how the shell completes names", _completion),
}


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench.cli.main import COMMANDS

    known = {name: topic.about for name, topic in TOPICS.items()} | COMMANDS
    return [
        CompletionItem(name, help=about)
        for name, about in known.items()
        if name.startswith(incomplete)
    ]


@click.command("help", short_help="Explain selections, protocols, files and more.")
@click.argument("topic", required=False, metavar="[TOPIC|COMMAND]", shell_complete=_complete)
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> None:
    """Explain a TOPIC, or the options of a COMMAND; without either, list the topics."""
    from bench.cli.main import COMMANDS, bench
    from bench.errors import RequestError
    from bench.plugins.syntax import nearest

    if topic is None:
        click.echo(
            f"Topics of `bench help TOPIC`:\n\n{_listed((name, item.about) for name, item in TOPICS.items())}"
        )
        return
    if topic in COMMANDS:
        found = bench.get_command(ctx, topic)
        assert found is not None
        with click.Context(found, info_name=topic, parent=ctx.parent) as of_command:
            text = found.get_help(of_command)
    elif topic in TOPICS:
        text = TOPICS[topic].text()
    else:
        near = nearest(topic, [*TOPICS, *COMMANDS])
        hint = f" - did you mean {near!r}?" if near else ""
        raise RequestError(
            f"no topic {topic!r}{hint} (there are {', '.join(TOPICS)}; and every command)"
        )
    if sys.stdout.isatty():
        click.echo_via_pager(text + "\n")
    else:
        click.echo(text)
