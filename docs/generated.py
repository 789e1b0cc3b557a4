"""What the site says from the code: a comment `<!-- generated: NAME -->` in a page becomes Markdown
made of the code while the site is built.
"""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from bench import NAMES
from bench.cli.main import COMMANDS, bench
from bench.contracts.parameters import show_value
from bench.plugins.registry import load
from bench.scoring.protocols import sentence

ROOT = Path(__file__).parents[1]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; line ends and bars in cells are made harmless."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in line) + " |"
        for line in lines
    )


def literal(text: str) -> str:
    """Return text as Markdown shows it unchanged, in prose."""
    return re.sub(r"([\\`*_\[\]<>$])", r"\\\1", text)


def block(text: str) -> str:
    """Return lines that stay as they are."""
    return f"```text\n{text.rstrip()}\n```"


def commands() -> str:
    """Return a section a command: usage, what it does, options, examples."""
    parts = []
    for name in COMMANDS:
        command = bench.get_command(click.Context(bench), name)
        assert command is not None
        ctx = click.Context(command, info_name=f"bench {name}", max_content_width=100)
        records = [
            record for parameter in command.params if (record := parameter.get_help_record(ctx))
        ]
        options = [(f"`{option}`", literal(text)) for option, text in records]
        about = [
            literal(" ".join(paragraph.split())) for paragraph in (command.help or "").split("\n\n")
        ]
        examples = (command.epilog or "").replace("\b", "").strip()
        parts += [f"## bench {name}", block(command.get_usage(ctx).removeprefix("Usage: ")), *about]
        parts += [table(("option", "meaning"), options)] if options else []
        parts += [block(examples)] if examples else []
    return "\n\n".join(parts)


def parameter_table(parameters: Iterable[Mapping[str, Any]]) -> str:
    """Return the table of the parameters of one part, as `bench list` knows them."""
    rows = [
        (
            f"`{parameter['example']}`",
            literal(parameter["type"] + (f"; {parameter['unit']}" if parameter["unit"] else "")),
            literal(parameter["doc"]),
            literal(parameter["source"]),
        )
        for parameter in parameters
    ]
    return table(("parameter, default", "type; unit", "meaning", "source"), rows)


def known(kind: str) -> list[dict[str, Any]]:
    """Return what `bench list KIND --json` knows of each."""
    done = CliRunner().invoke(bench, ["list", kind, "--json"], catch_exceptions=False)
    return json.loads(done.stdout)


TOLD = {
    "family": "family",
    "citation": "citation key",
    "inputs": "inputs",
    "extra_knowledge": "extra knowledge",
    "published_protocol": "published under",
    "paper_protocol": "as a protocol",
    "reproduction": "reproducing it",
}
"""What the page says of a method's facts, and how it calls each."""


def methods() -> str:
    """Return a section a method: what it is, where it comes from, groups, profiles, parameters,
    published numbers, deviations.
    """
    groups = [
        (f"`{group}`", ", ".join(f"[{name}](#{name})" for name in members))
        for group, members in load().groups("methods").items()
    ]
    parts = ["## Groups", table(("group", "members"), groups)]
    for facts in known("methods"):
        info = facts["info"]
        origin = [str(info[key]) for key in ("title", "venue", "year") if info.get(key)]
        parts += [
            f"## {facts['name']}",
            literal(facts["about"]),
            *([literal(", ".join(origin)) + "."] if origin else []),
        ]
        told = [(words, literal(str(info[key]))) for key, words in TOLD.items() if info.get(key)]
        parts += [table(("fact", "what is known"), told)] if told else []
        if facts["published_only"]:
            parts.append(f"Published numbers only: {literal(facts['published_only'])}.")
        if facts["needs_parameters"]:
            parts.append("It means nothing without parameters, and is in no group.")
        parts += [parameter_table(facts["parameters"])] if facts["parameters"] else []
        profiles = [
            (
                f"`{profile}`",
                ", ".join(
                    f"`{key}={show_value(tuple(value) if isinstance(value, list) else value)}`"
                    for key, value in sets.items()
                ),
            )
            for profile, sets in facts["profiles"].items()
        ]
        parts += [table(("profile", "sets"), profiles)] if profiles else []
        published = [
            (literal(number["dataset"]), number["auc"], literal(number["source"]))
            for number in info["published"]
        ]
        parts += [table(("published on", "AUC in %", "source"), published)] if published else []
        parts += (
            [
                "\n".join(
                    f"- Differs from the paper: {literal(text)}." for text in info["deviations"]
                )
            ]
            if info.get("deviations")
            else []
        )
    return "\n\n".join(parts)


def choices() -> str:
    """Return protocols, metrics, datasets and all else that a selection names beside methods, with
    their parameters.
    """
    registry = load()
    named = [
        (f"`{name}`", literal(sentence(protocol))) for name, protocol in registry.protocols.items()
    ]
    metrics = [(f"`{facts['name']}`", literal(facts["about"])) for facts in known("metrics")]
    (plain,) = (
        facts for facts in known("protocols") if facts["name"] == "raw"
    )  # in which every choice is the default
    parts = [
        "## Protocols",
        table(("protocol", "in words"), named),
        "Each choice is a parameter, as in `'median17[edge=zero]'`:",
    ]
    parts += [
        parameter_table(plain["parameters"]),
        "## Metrics",
        table(("metric", "what it is"), metrics),
    ]
    for kind in ("datasets", "detectors", "creators", "executors", "observers"):
        parts.append(f"## {kind.capitalize()}")
        for facts in known(kind):
            parts += [f"### {facts['name']}", literal(facts["about"])]
            if facts["info"].get("obtain"):
                parts.append(
                    f"{literal(facts['info']['obtain']).removesuffix('.')}. Licence: {literal(facts['info']['licence'] or 'none named')}."
                )
            parts += [parameter_table(facts["parameters"])] if facts["parameters"] else []
    return "\n\n".join(parts)


DDL_TABLES = (
    (
        "Table 1",
        (
            "ae-conv2d",
            "ae-conv3d",
            "ae-convlstm",
            "tsc",
            "srnn",
            "memae",
            "mnad",
            "pseudobound",
            "mamc",
            "c2net",
            "c3dsu",
        ),
    ),
    ("Tables 2 and 3", ("unet-plain", "unet-sdl", "unet", "c3dsu-plain", "c3dsu-sdl", "c3dsu")),
)


def expected() -> str:
    """Return what is published of the methods of its tables on Ped2, beside what the committed run
    measured.
    """
    run = ROOT / "results" / "ped2-small"
    with (run / "tables" / "summary.csv").open(newline="") as file:
        summary = {
            (row["method"], row["protocol"]): row
            for row in csv.DictReader(file)
            if row["metric"] == "auc"
        }
    parts = []
    for title, names in DDL_TABLES:
        rows = []
        for name in names:
            cells = [
                json.loads(path.read_text())
                for path in sorted(run.glob(f"cells/{name}/ped2/*/cell.json"))
            ]
            minutes = [cell["seconds"]["total"] / 60 for cell in cells if cell["status"] == "done"]
            ours = summary[name, "ddl"]
            printed = [cell["published"]["auc"] for cell in cells if cell["published"]]
            rows.append(
                (
                    f"[{name}](methods.md#{name})",
                    printed[0] if printed else "",
                    *(percent(summary[name, protocol]) for protocol in ("ddl", "median17")),
                    ours["seeds"] if ours["mean"] else "",
                    f"{min(minutes):.0f}" if minutes else "",
                )
            )
        head = (
            "method",
            "published",
            "measured, `ddl`",
            "measured, `median17`",
            "seeds",
            "minutes a cell",
        )
        parts += [f"### {title}, Ped2", table(head, rows)]
    return "\n\n".join(
        [
            *parts,
            "AUC in percent. A dash was not measured: no weights, no public specification, or seeds that are not finished.",
        ]
    )


def percent(row: Mapping[str, str]) -> str:
    """Return a mean and its deviation over seeds as tables print them."""
    if not row["mean"]:
        return "-"
    return f"{100 * float(row['mean']):.2f}" + (
        f" ± {100 * float(row['sd']):.2f}" if row["sd"] else ""
    )


def names() -> str:
    """Return the public names of `bench`, by what they are."""
    about = {
        "contracts": "what a plugin is made of",
        "helpers": "what helps to write one",
        "functions": "for scripts and notebooks",
    }
    rows = [
        (f"{group}: {about[group]}", ", ".join(f"`{name}`" for name in sorted(listed)))
        for group, modules in NAMES.items()
        for listed in [" ".join(modules.values()).split()]
    ]
    return table(("group", "names"), rows)


GENERATED = {
    "expected": expected,
    "commands": commands,
    "methods": methods,
    "choices": choices,
    "names": names,
}


def write_generated(app: Sphinx, docname: str, source: list[str]) -> None:
    """Replace the comments of a page, and make Markdown of a notebook."""
    if Path(app.env.doc2path(docname)).suffix == ".ipynb":
        cells = json.loads(source[0])["cells"]
        texts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
        source[0] = "\n\n".join(
            text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in texts
        )
    source[0] = re.sub(r"<!-- generated: (\w+) -->", lambda found: GENERATED[found[1]](), source[0])


def write_front(app: Sphinx, error: Exception | None) -> None:
    """Lead whoever opens the folder to its first page: the pages lie where they lie in the
    repository.
    """
    if error is None and app.builder.name == "html":
        (Path(app.outdir) / "index.html").write_text(
            '<!doctype html><meta http-equiv="refresh" content="0; url=docs/index.html"><title>bench</title>\n'
        )


def setup(app: Sphinx) -> dict[str, bool]:
    """Join the build.

    Raises
    ------
    ExtensionError : a plugin of bench cannot be loaded here, so that pages would lack what it
        offers.
    """
    if complaints := load().complaints():
        raise ExtensionError("; ".join(complaints))
    app.connect("source-read", write_generated)
    app.connect("build-finished", write_front)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
