"""`bench help`: topics that are not about one command, generated from the code where possible."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

from bench.wording import wrapped


@dataclass(frozen=True)
class Topic:
    """A help topic."""

    about: str
    text: Callable[[], str]


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    """Return names and their descriptions in the layout of a man page."""
    return "\n".join(f"  {name}\n" + wrapped(text, "      ", "      ") for name, text in rows)


def _as_wide_as_the_terminal(text: str) -> str:
    """Wrap the paragraphs of a text; those with an indented line have their lines already."""
    return "\n\n".join(
        part if "\n " in f"\n{part}" else wrapped(" ".join(part.split()))
        for part in text.split("\n\n")
    )


def _selections() -> str:
    from bench.plugins.registry import load

    registry = load()
    groups = "\n".join(
        wrapped(f"groups of {kind}: {', '.join(registry.groups(kind))}", "  ", "      ")
        for kind in ("methods", "datasets")
    )
    return f"""\
--methods, --datasets, --protocol, --detector and --force take selections:

  NAME,NAME                     several names, in this order
  GROUP                         all members of a group (bench list methods)
  -NAME                         remove a name again: all,-tsc
  NAME[key=value,key=value]     set parameters (bench list methods NAME)
  NAME[key=a|b]                 one row for a and one for b
  NAME[key="a, b"]              a value that contains commas or brackets
  NAME as TEXT                  the name of the row or dataset in tables:
                                'memae as Ours'; a formula stands between dollar
                                signs, {{key}} for the value of a parameter

{groups}

The shell interprets [ and |: put selections that contain them in single quotes. Tables show the
names that papers print, or those given with `as`; results.csv has the selectors beside them.
All mistakes in a request are reported at once.

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
A protocol is everything that turns scores into a number. The same scores give different numbers
under different protocols, so each table states its protocol, and a run stores the numbers for
all.

{_listed((name, sentence(protocol)) for name, protocol in load().protocols.items())}

Each choice is a parameter, as in 'median17[edge=zero]':

{_listed(choices)}

Examples:
  bench score results/RUN --protocol minmax,raw    other protocols, no training
  bench report results/RUN --table protocols       how they change the ranking"""


def _metrics() -> str:
    from bench.plugins.registry import load

    rows = [
        (name, " ".join((metric.function.__doc__ or "").split()).removeprefix("Return "))
        for name, metric in load().metrics.items()
    ]
    return f"""\
Metrics are computed over the frames that a protocol pools; frames of both classes are needed.

{_listed(rows)}"""


def _files() -> str:
    from bench.evaluation.data_frames import RESULT_COLUMNS, SUMMARY_COLUMNS
    from bench.runs.layout import FILE_DESCRIPTIONS

    def columns(names: Iterable[str]) -> str:
        return wrapped(", ".join(names), "  ", "  ")

    return f"""\
A run is a folder with all of its results; each file is written completely or not at all.

{_listed(FILE_DESCRIPTIONS.items())}

METHOD is the registered name, followed by 8 hex digits if parameters differ from the profile.
If each scene has its own model, SCENE is a folder in SEED. Numbers are fractions in files and
percent in tables; a number that does not exist is empty.

Columns of results.csv:
{columns(RESULT_COLUMNS)}

Columns of summary.csv:
{columns(SUMMARY_COLUMNS)}

In Python, bench.load("results/RUN") returns both as pandas data frames, and the scores."""


def _profiles() -> str:
    from bench.plugins.profiles import PROFILES

    rows = [(name, profile.meaning) for name, profile in PROFILES.items()]
    return f"""\
A profile overrides some parameters of a method; parameters in a selection take precedence. Every
table names its profile.

{_listed(rows)}

bench list methods NAME shows what each profile changes."""


def _environment() -> str:
    from platformdirs import user_data_path

    from bench.files.cache import cache_folder

    rows = [
        (
            "BENCH_DATA",
            "folders that contain datasets, used without --data; separated as in PATH; bench "
            f"download unpacks into the first. Not set: ./data and {user_data_path('vad-bench')}",
        ),
        (
            "BENCH_CACHE",
            f"folder for decoded frames, tracks and the demo datasets; now {cache_folder()}",
        ),
        (
            "TORCH_HOME",
            "folder with weights of detectors and backbones, where bench download puts them",
        ),
        ("EDITOR", "editor that bench report --edit-table opens"),
        ("CUDA_VISIBLE_DEVICES", "GPUs that a run may use"),
        ("HTTPS_PROXY", "proxy of bench download"),
        ("NO_COLOR", "no colours"),
    ]
    return f"Environment variables that bench reads:\n\n{_listed(rows)}\n\nbench doctor shows what was found."


def _exit_codes() -> str:
    rows = [
        (
            "0",
            "every cell is done; datasets of a group whose data was not found do not count",
        ),
        ("1", "a cell failed (the tables are still written), or a file of a run cannot be read"),
        ("2", "the request is invalid or cannot be met; nothing was started"),
        ("3", "no cell could run"),
        ("130", "interrupted; repeat the command to resume"),
    ]
    return f"Exit codes of bench run:\n\n{_listed(rows)}"


def _completion() -> str:
    return """\
The shell completes commands, options, and the names of methods, datasets, protocols, detectors,
tables and runs. Enable it once:

  bash    echo 'eval "$(_BENCH_COMPLETE=bash_source bench)"' >> ~/.bashrc
  zsh     echo 'eval "$(_BENCH_COMPLETE=zsh_source bench)"' >> ~/.zshrc
  fish    _BENCH_COMPLETE=fish_source bench > ~/.config/fish/completions/bench.fish

then open a new shell. In a comma list the last item is completed; after --plugin FILE, so are the
names that the file registers."""


TOPICS = {
    "selections": Topic(
        "how methods, datasets, protocols and detectors are named, with parameters", _selections
    ),
    "protocols": Topic("how scores become a number", _protocols),
    "metrics": Topic("the metrics of the tables", _metrics),
    "profiles": Topic("predefined sets of parameters", _profiles),
    "files": Topic("the files of a run", _files),
    "environment": Topic("environment variables that bench reads", _environment),
    "exit-codes": Topic("exit codes of bench run", _exit_codes),
    "completion": Topic("tab completion in the shell", _completion),
}


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from bench.cli.main import COMMANDS

    known = {name: topic.about for name, topic in TOPICS.items()} | COMMANDS
    return [
        CompletionItem(name, help=about)
        for name, about in known.items()
        if name.startswith(incomplete)
    ]


@click.command("help")
@click.argument("topic", required=False, metavar="[TOPIC|COMMAND]", shell_complete=_complete)
@click.pass_context
def command(ctx: click.Context, topic: str | None) -> None:
    """Explain a TOPIC, or the options of a COMMAND; without either, list the topics."""
    from bench.cli.main import COMMANDS, bench
    from bench.errors import RequestError
    from bench.wording import did_you_mean

    if topic is None:
        click.echo(
            "Topics of `bench help "
            f"TOPIC`:\n\n{_listed((name, item.about) for name, item in TOPICS.items())}"
        )
        return
    if topic in COMMANDS:
        found = bench.get_command(ctx, topic)
        assert found is not None
        with click.Context(found, info_name=topic, parent=ctx.parent) as of_command:
            text = found.get_help(of_command)
    elif topic in TOPICS:
        text = _as_wide_as_the_terminal(TOPICS[topic].text())
    else:
        hint = did_you_mean(topic, [*TOPICS, *COMMANDS])
        raise RequestError(
            f"no topic {topic!r}{hint} (there are {', '.join(TOPICS)}; and every command)"
        )
    if sys.stdout.isatty():
        click.echo_via_pager(text + "\n")
    else:
        click.echo(text)
