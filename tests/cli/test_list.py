"""`bench list`: what can be chosen, for people and for programs."""

import json
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bench import RequestError
from bench.cli.setup.list import KINDS, command

PLUGIN = """
    from dataclasses import dataclass
    from pathlib import Path
    from bench import Detector, Method, MethodInfo, PublishedAUC, hookimpl, parameter

    class Brightness(Method):
        \"\"\"Mean of the frame.

        More about it.
        \"\"\"

        name = "brightness"
        info = MethodInfo(title="Bright frames", year=1999, venue="Daylight", family="toy", groups=("toys",),
                          published=(PublishedAUC("ped2", "51.3", "paper, table 2"),), deviations=("no shadow",))
        profiles = {"small": {"every": 5, "heads": (1, 2)}}

        @dataclass(frozen=True)
        class Parameters:
            every: int = parameter(1, unit="frames", source="paper, section 3", doc="Take each n-th frame.", minimum=1)
            heads: tuple[int, ...] = parameter((3, 5, 7))
            file: Path | None = parameter(None)

        def score(self, clip, context):
            return [0.0] * clip.length

    class Reader(Method):
        name = "reader"
        needs_parameters = True

        def score(self, clip, context):
            return [0.0] * clip.length

    @hookimpl
    def bench_methods():
        return [Brightness, Reader]
"""


@pytest.fixture
def plugin(tmp_path: Path, no_registry: None) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(textwrap.dedent(PLUGIN))
    return file


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    file = tmp_path / "cracked.py"
    file.write_text("import no_such_module\n")
    return file


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(
        command, [str(argument) for argument in arguments], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result


def test_list_methods_shows_rows_and_groups(plugin):
    """Each method has a line, and each group its members."""
    out = run("methods", "--plugin", plugin).stdout
    (line,) = [line for line in out.splitlines() if line.startswith("brightness")]
    assert line.split() == ["brightness", "Brightness", "toy", "1999"]
    assert "\nreader[...]" in out
    (group,) = [line for line in out.splitlines() if line.startswith("  toys")]
    assert group.split() == ["toys", "brightness"]


@pytest.mark.parametrize("arguments", [["brightness"], ["toys"], ["--parameters"]])
def test_list_methods_tells_parameters(plugin, arguments):
    """A name, a group or --parameters shows parameters with types, units and sources, profiles and
    published numbers."""
    out = run("methods", *arguments, "--plugin", plugin).stdout
    for text in (
        "brightness: Bright frames\n  Mean of the frame.\n",
        "every=1 (int of at least 1; frames)\n      Take each n-th frame.\n      source: paper, section 3\n",
        "heads=3+5+7 (ints joined by +)",
        "file=none (path or none)",
        "profile small: every=5, heads=1+2",
        "published: 51.3 on ped2 (paper, table 2)",
        "differs from the paper: no shadow",
    ):
        assert text in out
    assert f"from: {plugin} " in " ".join(out.split())


def test_list_methods_json_has_all_that_is_known(plugin):
    """Programs get the same as people."""
    (facts,) = json.loads(run("methods", "brightness", "--json", "--plugin", plugin).stdout)
    assert (facts["name"], facts["kind"], facts["origin"], facts["plugin"]) == (
        "brightness",
        "methods",
        str(plugin),
        "mine.py",
    )
    assert (
        facts["groups"] == ["all", "toys"]
        and facts["info"]["year"] == 1999
        and facts["about"] == "Mean of the frame."
    )
    assert facts["info"]["published"] == [
        {"dataset": "ped2", "auc": "51.3", "source": "paper, table 2"}
    ]
    assert facts["profiles"] == {"small": {"every": 5, "heads": [1, 2]}}
    every, heads, file = facts["parameters"]
    assert every == {
        "name": "every",
        "example": "every=1",
        "type": "int of at least 1",
        "required": False,
        "default": 1,
        "unit": "frames",
        "source": "paper, section 3",
        "doc": "Take each n-th frame.",
        "choices": [],
        "minimum": 1,
        "maximum": None,
    }
    assert (heads["default"], file["default"]) == ([3, 5, 7], None)


@pytest.mark.parametrize("kind", KINDS)
def test_list_of_each_kind_gives_json(plugin, kind):
    """Every kind can be listed, as text and as JSON, with data alone on stdout."""
    found = json.loads(run(kind, "--json", "--plugin", plugin).stdout)
    assert all("name" in part for part in found)
    run(kind, "--plugin", plugin)
    run(kind, "--parameters", "--plugin", plugin)


def test_list_says_which_plugin_is_broken_on_stderr(plugin, broken):
    """A broken plugin is named with its reason, and everything else is listed."""
    result = run("methods", "--plugin", broken, "--plugin", plugin)
    assert "brightness" in result.stdout and "cracked" not in result.stdout
    assert (
        "bench: plugin 'cracked.py' is left out: ModuleNotFoundError: No module named 'no_such_module'"
        in result.stderr
    )


def test_list_plugins_shows_what_each_provides(plugin, broken):
    """The list of plugins has origin, what each gave, and why one could not be used."""
    out = run("plugins", "--plugin", broken, "--plugin", plugin).stdout
    assert (
        f"cracked.py  ({broken})\n  broken: ModuleNotFoundError: No module named 'no_such_module' ({broken}, line 1)\n"
        in out
    )
    assert f"mine.py  ({plugin})\n  methods: brightness, reader\n" in out
    record = json.loads(run("plugins", "mine.py", "--json", "--plugin", plugin).stdout)
    assert [
        (part["name"], part["provides"], part["broken"], len(part["sha256"])) for part in record
    ] == [("mine.py", {"methods": ["brightness", "reader"]}, None, 64)]


def test_list_refuses_unknown_names_with_the_nearest(plugin):
    """All unknown names are told at once."""
    with pytest.raises(RequestError) as caught:
        run("methods", "brightnes", "toy", "--plugin", plugin)
    assert list(caught.value.mistakes) == [
        "no method 'brightnes' - did you mean 'brightness'? (bench list methods)",
        "no method 'toy' - did you mean 'toys'? (bench list methods)",
    ]


def test_details_fit_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line, without a word lost, as at another width."""
    texts = {}
    for width in (80, 100):
        monkeypatch.setenv("COLUMNS", str(width))
        texts[width] = CliRunner().invoke(command, ["methods", "c3dsu"]).output
    assert max(map(len, texts[80].splitlines())) <= 80
    assert texts[80].split() == texts[100].split()
