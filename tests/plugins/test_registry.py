"""The registry: built-in, installed and file plugins by one way, each costing nobody but itself."""

import hashlib
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

import bench
from bench import Creator, RequestError, Window
from bench.cli.setup.check import command
from bench.plugins import registry as registry_module
from bench.plugins.registry import Registry, current, load
from bench.plugins.selection import make_creators

GOOD = """
    from bench import Method, hookimpl

    class Brightness(Method):
        name = "brightness"

        def score(self, clip, context):
            return [0.0] * clip.length

    @hookimpl
    def bench_methods():
        return [Brightness]
"""


pytestmark = pytest.mark.usefixtures("no_registry")


def write(folder: Path, name: str, source: str) -> Path:
    file = folder / name
    file.write_text(textwrap.dedent(source))
    return file


def method(name: str, body: str = "def score(self, clip, context): return []") -> str:
    lines = textwrap.indent(textwrap.dedent(body), "    ")
    head = (
        "from bench import Creator, Dataset, Detector, Method, MethodInfo, NetworkMethod, hookimpl"
    )
    return f"{head}\n\nclass Mine(Method):\n    name = {name!r}\n{lines}\n\n@hookimpl\ndef bench_methods():\n    return [Mine]\n"


def install(
    site: Path, distribution: str, module: str, source: str, entry: str, attribute: str = ""
) -> None:
    """Put a package with one entry point where Python finds it, as pip does."""
    write(site, f"{module}.py", source)
    folder = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (folder / "entry_points.txt").write_text(f"[bench]\n{entry} = {module}{attribute}\n")


def reason(registry: Registry, name: str) -> str:
    (found,) = [record.broken for record in registry.plugins if record.name == name]
    assert found is not None
    assert "\n" not in found
    return found


def test_load_takes_a_file(tmp_path):
    """A file with a method is a plugin, known by its path and the hash of what ran."""
    file = write(tmp_path, "mine.py", GOOD)
    registry = load([file])
    assert registry.methods["brightness"].name == "brightness"
    assert registry.origins["methods", "brightness"] == str(file)
    record = registry.plugin("methods", "brightness")
    assert (
        record.provides == {"methods": ("brightness",)}
        and record.broken is None
        and record.file == file
    )
    assert record.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert not (tmp_path / "__pycache__").exists()


def test_load_takes_a_changed_file_anew(tmp_path):
    """A file that changed is loaded as it is now, in the same process too."""
    file = write(tmp_path, "mine.py", GOOD)
    load([file])
    write(tmp_path, "mine.py", GOOD.replace('"brightness"', '"darkness"'))
    changed = load([file]).methods["darkness"]
    assert sys.modules[changed.__module__].Brightness is changed


def test_load_runs_a_file_as_it_would_run_alone(tmp_path):
    """No `from __future__` of the registry's own reaches a plugin; a file that fails leaves no
    module behind."""
    body = "length: int = 3\ndef score(self, clip, context): ..."
    files = [
        write(tmp_path, "mine.py", method("mine", body)),
        write(tmp_path, "cracked.py", "1 / 0\n"),
    ]
    assert load(files).methods["mine"].__annotations__ == {"length": int}
    assert not [name for name in sys.modules if name.startswith("bench_plugin_cracked")]


def test_load_keeps_files_of_one_name_apart(tmp_path):
    """Two files of one name in two folders are two plugins; the same file twice is one."""
    files = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        files.append(
            write(tmp_path / folder, "mine.py", GOOD.replace('"brightness"', f'"bright-{folder}"'))
        )
    registry = load([files[0], files[1], files[0]])
    assert [record.broken for record in registry.plugins if record.name == "mine.py"] == [
        None,
        None,
    ]
    modules = [registry.methods[f"bright-{folder}"].__module__ for folder in ("a", "b")]
    assert modules[0] != modules[1] and all(name in sys.modules for name in modules)


def test_what_a_plugin_prints_stays_off_stdout(tmp_path, capsys):
    """stdout is for data: a print in a plugin does not spoil `--json`."""
    load([write(tmp_path, "mine.py", "print('hello')\n" + textwrap.dedent(GOOD))])
    out = capsys.readouterr()
    assert out.out == "" and "hello" in out.err


def test_load_sets_the_current_registry(tmp_path):
    """What was loaded last is what other code of the process finds."""
    registry = load([write(tmp_path, "mine.py", GOOD)])
    assert current() is registry


def test_current_loads_what_is_installed_at_first_use():
    """Without `load`, the installed plugins are there."""
    registry = current()
    assert registry is current()
    assert {record.name for record in registry.plugins} >= {"builtin", "methods", "datasets"}


def test_own_plugins_come_first_then_others_by_name_then_files(tmp_path, monkeypatch):
    """The order in which plugins are asked is known, and nobody's accident."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-package", "module_a", method("from-a"), "zebra")
    install(tmp_path, "b-package", "module_b", method("from-b"), "aardvark")
    registry = load([write(tmp_path, "mine.py", GOOD)])
    names = [record.name for record in registry.plugins]
    own = [record.name for record in registry.plugins if record.origin.startswith("vad-bench ")]
    assert names == [*own, "aardvark", "zebra", "mine.py"] and own == sorted(own)
    assert registry.origins["methods", "from-a"] == "a-package 1.2 (module_a)"


def test_two_packages_with_one_entry_point_name_are_told(tmp_path, monkeypatch):
    """pluggy would skip the second in silence."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-package", "module_a1", method("from-a"), "same")
    install(tmp_path, "b-package", "module_b1", method("from-b"), "same")
    registry = load()
    assert "from-a" in registry.methods and "from-b" not in registry.methods
    (second,) = [record for record in registry.plugins if record.name == "same" and record.broken]
    assert second.origin == "b-package 1.2 (module_b1)"
    assert "has the name 'same', as that of a-package 1.2 (module_a1)" in str(second.broken)


def test_an_installed_plugin_that_cannot_be_imported_costs_itself_only(tmp_path, monkeypatch):
    """The reason has the line of the plugin's own code, not of what it imports."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-package", "module_a2", "import json\n\njson.loads('{')\n", "cracked")
    install(tmp_path, "b-package", "module_b2", method("from-b"), "whole")
    registry = load()
    assert reason(registry, "cracked").startswith("JSONDecodeError: ")
    assert reason(registry, "cracked").endswith("module_a2.py, line 3)")
    assert "from-b" in registry.methods


def test_an_installed_plugin_may_be_named_by_its_file_too(tmp_path, monkeypatch):
    """It is the same plugin, not one that offers a name twice; bench check finds what it offers."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-package", "module_a4", method("from-a"), "mine")
    registry = load([tmp_path / "module_a4.py"])
    assert not registry.complaints() and registry.origins["methods", "from-a"].startswith(
        "a-package 1.2"
    )
    found = CliRunner().invoke(command, ["--static", str(tmp_path / "module_a4.py")])
    assert "from-a: needs are known ... ok" in found.output, found.output


def test_an_entry_point_that_is_no_module_is_told(tmp_path, monkeypatch):
    """An entry point names a module."""
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "a-package", "module_a3", method("from-a"), "odd", ":Mine")
    assert "let it name a module, without ':'" in reason(load(), "odd")


def test_a_missing_installation_is_told(monkeypatch):
    """Without the package's own metadata nothing is built in, and that is said."""
    monkeypatch.setattr(registry_module.importlib.metadata, "entry_points", lambda group: ())
    registry = load()
    assert "install it (pip install -e .)" in reason(registry, "vad-bench")


BROKEN = {
    "syntax": ("def broken(:\n", r"SyntaxError: .*mine\.py, line 1\)"),
    "import": (
        "import os\nimport no_such_module_here\n",
        r"ModuleNotFoundError: No module named 'no_such_module_here' \(.*mine\.py, line 2\)",
    ),
    "import_beside": (
        "import beside\n",
        r"to import beside.py beside it, the plugin must add its folder to sys.path first: .*; or make both an installed package",
    ),
    "import_name": (
        "from bench import Methods\n",
        r"ImportError: cannot import name 'Methods' from 'bench'.*mine\.py, line 1\)",
    ),
    "exits": (
        "import sys\nsys.exit(3)\n",
        r"SystemExit: it ends the program, with 3 \(.*mine\.py, line 2\)",
    ),
    "hook_raises": (
        "from bench import hookimpl\n@hookimpl\ndef bench_methods():\n    return [1 / 0]\n",
        r"ZeroDivisionError: .*mine\.py, line 4\)",
    ),
    "hook_exits": (
        "from bench import hookimpl\n@hookimpl\ndef bench_methods():\n    raise SystemExit\n",
        r"SystemExit",
    ),
    "misspelt": (
        method("mine").replace("bench_methods", "bench_method"),
        r"bench_method is no hook of bench - did you mean bench_methods\?",
    ),
    "unlike_any": (
        method("mine").replace("bench_methods", "offer"),
        r"offer is no hook of bench; hooks are bench_methods, bench_datasets",
    ),
    "unmarked": (
        method("mine").replace("@hookimpl\n", ""),
        r"it defines bench_methods without @hookimpl \(.*mine\.py, line \d+\); write @hookimpl above it",
    ),
    "unmarked_misspelt": (
        method("mine").replace("@hookimpl\n", "").replace("bench_methods", "bench_method"),
        r"did you mean bench_methods\? .*lacks @hookimpl, too",
    ),
    "no_hook": ("x = 1\n", r"it has no hook; write one of bench_methods, .*@hookimpl above it"),
    "no_return": (
        method("mine").replace("return [Mine]", "[Mine]"),
        r"bench_methods\(\) returned nothing; is a 'return \[\.\.\.\]' missing\?",
    ),
    "empty": (
        method("mine").replace("return [Mine]", "return []"),
        r"bench_methods\(\) returned nothing",
    ),
    "arguments": (
        method("mine").replace("bench_methods()", "bench_methods(registry)"),
        r"hooks of bench take none .*registry",
    ),
    "no_list": (
        method("mine").replace("[Mine]", "Mine"),
        r"bench_methods\(\) returned the class Mine, expected a list of Method classes; return \[Mine\]",
    ),
    "instance": (
        method("mine").replace("[Mine]", "[Mine()]"),
        r"offers an object of type Mine, expected a list of Method classes; offer the class, not an instance",
    ),
    "other_base": (
        method("mine").replace("Method)", "Dataset)"),
        r"offers the class Mine, which is not derived from bench.Method",
    ),
    "text": (
        method("mine").replace("[Mine]", "['mine']"),
        r"offers an object of type str, expected a list of Method classes",
    ),
    "name_missing": (
        method("mine").replace("name = 'mine'", "pass"),
        r'Mine has no name; write name = "\.\.\."',
    ),
    "name_bad": (
        method("My_Method"),
        r"Mine: the name 'My_Method' must be lower-case letters, digits and hyphens, like 'my-method'",
    ),
    "name_newline": (method("mine\n"), r"the name 'mine\\n' must be"),
    "name_all": (method("all"), r"Mine: 'all' is the name of a group"),
    "no_score": (
        method("mine", "pass"),
        r"Mine has no score\(\); write def score\(self, clip, context\)",
    ),
    "no_build": (
        method("mine", "pass").replace("Method)", "NetworkMethod)"),
        r"Mine is a NetworkMethod without window",
    ),
    "twice": (
        method("mine").replace("[Mine]", "[Mine, Mine]"),
        r"bench_methods\(\) offers two methods of the name 'mine'",
    ),
    "needs": (
        method("mine", "needs = frozenset({'frame'})\ndef score(self, clip, context): ..."),
        r"Mine needs 'frame', which is none of .* did you mean 'frames'\?",
    ),
    "no_boxes": (
        method("mine", "needs_frames = False")
        .replace("Method)", "Detector)")
        .replace("bench_methods", "bench_detectors"),
        r"Mine has no known_boxes\(\); write def known_boxes\(self, clip, length\)",
    ),
    "needs_list": (
        method("mine", "needs = ['frames']\ndef score(self, clip, context): ..."),
        r"Mine.needs is \['frames'\], expected a set",
    ),
    "info": (
        method("mine", "info = {'year': 2020}\ndef score(self, clip, context): ..."),
        r"Mine.info is an object of type dict, expected a MethodInfo",
    ),
    "groups": (
        method("mine", "info = MethodInfo(groups='mine')\ndef score(self, clip, context): ..."),
        r"Mine.info.groups is 'mine', expected a tuple of names",
    ),
    "init": (
        method("mine", "def __init__(self): ...\ndef score(self, clip, context): ..."),
        r"write def __init__\(self, parameters=None\): super\(\).__init__\(parameters\)",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_has_a_reason_and_costs_itself_only(case, tmp_path):
    """Whatever is wrong with a plugin, its author is told what, and the next plugin is loaded."""
    source, text = BROKEN[case]
    write(tmp_path, "beside.py", "")
    registry = load([write(tmp_path, "mine.py", source), write(tmp_path, "good.py", GOOD)])
    assert re.search(text, reason(registry, "mine.py")), reason(registry, "mine.py")
    assert "brightness" in registry.methods and "mine" not in registry.methods
    (complaint,) = [line for line in registry.complaints() if "mine.py" in line.split(":")[0]]
    assert complaint.startswith("plugin 'mine.py' is left out: ") and complaint.endswith(
        f"[{tmp_path / 'mine.py'}]"
    )


PARAMETERS = {
    "not_frozen": (
        "@dataclass\nclass Parameters:\n    length: int = 3",
        r"Mine.Parameters is not a frozen dataclass; write @dataclass\(frozen=True\)",
    ),
    "plain": (
        "class Parameters:\n    length: int = 3",
        r"Mine.Parameters is not a frozen dataclass",
    ),
    "undecorated_child": (
        "class Parameters(NoParameters):\n    length: int = 3",
        r"Mine.Parameters is not a frozen dataclass",
    ),
    "type": (
        "@dataclass(frozen=True)\nclass Parameters:\n    length: list = None",
        r"Mine.Parameters: parameter 'length' is of type list, which no selection can write",
    ),
    "unknown_type": (
        "@dataclass(frozen=True)\nclass Parameters:\n    length: 'Lenght' = 3",
        r"Mine.Parameters: name 'Lenght' is not defined",
    ),
    "default": (
        "@dataclass(frozen=True)\nclass Parameters:\n    length: int = 'three'",
        r"Mine.Parameters: length must be a whole number, not 'three'",
    ),
    "required": (
        "@dataclass(frozen=True)\nclass Parameters:\n    path: str",
        r"path has no default; give it one, or write needs_parameters = True in Mine",
    ),
    "profile_name": (
        "profiles = {'tiny': {}}",
        r"Mine.profiles\['tiny'\]: profiles are large, medium, small, smoke",
    ),
    "profile_field": (
        "@dataclass(frozen=True)\nclass Parameters:\n    length: int = 3\nprofiles = {'small': {'lenght': 2}}",
        r"Mine.profiles\['small'\] sets 'lenght', which is no parameter - did you mean 'length'\?",
    ),
    "profile_value": (
        "@dataclass(frozen=True)\nclass Parameters:\n    length: int = 3\nprofiles = {'small': {'length': 2.5}}",
        r"Mine.profiles\['small'\]: length must be a whole number, not 2.5",
    ),
    "profile_kind": (
        "profiles = {'small': 3}",
        r"Mine.profiles\['small'\] is an object of type int, expected a dict",
    ),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_method_with_wrong_parameters_is_told(case, tmp_path):
    """Mistakes in Parameters and profiles are found when the plugin is loaded, not in the middle of
    a run."""
    body, text = PARAMETERS[case]
    source = (
        "from dataclasses import dataclass\nfrom bench.contracts.dataset import NoParameters\n"
        + method("mine", body + "\ndef score(self, clip, context): ...")
    )
    found = reason(load([write(tmp_path, "mine.py", source)]), "mine.py")
    assert re.search(text, found), found


def test_parameters_may_inherit_and_annotations_may_be_text(tmp_path):
    """A plugin with `from __future__ import annotations`, and a Parameters that extends another's,
    is fine."""
    body = "@dataclass(frozen=True)\nclass Parameters(Base):\n    more: int | None = None\nprofiles = {'small': {'length': 2, 'more': 1}}"
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass(frozen=True)\nclass Base:\n    length: int = 3\n"
        + method("mine", body + "\ndef score(self, clip, context): ...")
    )
    registry = load([write(tmp_path, "mine.py", source)])
    assert registry.methods["mine"].Parameters().more is None, registry.complaints()


def test_a_name_taken_costs_the_later_plugin_all_it_offers(tmp_path):
    """The first to offer a name keeps it; both origins are named; nothing of the later plugin is
    used."""
    first = write(tmp_path, "first.py", GOOD)
    second = write(
        tmp_path,
        "second.py",
        GOOD.replace("return [Brightness]", "return [Other, Brightness]").replace(
            "@hookimpl", "class Other(Brightness):\n        name = 'other'\n\n    @hookimpl"
        ),
    )
    registry = load([first, second])
    assert f"method 'brightness' is offered by {first} already; choose another name" in reason(
        registry, "second.py"
    )
    assert registry.origins["methods", "brightness"] == str(first)
    assert "other" not in registry.methods


def test_one_bad_part_costs_the_whole_plugin(tmp_path):
    """Half a plugin would hide that the other half is missing."""
    source = (
        method("mine")
        .replace("return [Mine]", "return [Mine, Bad]")
        .replace("@hookimpl", "class Bad(Method):\n    name = 'bad'\n\n@hookimpl")
    )
    registry = load([write(tmp_path, "mine.py", source)])
    assert "Bad has no score()" in reason(registry, "mine.py") and "mine" not in registry.methods


@pytest.mark.parametrize(("first", "second"), [("name", "group"), ("group", "name")])
def test_a_name_cannot_be_a_group(first, second, tmp_path):
    """A selection could not tell them apart, whichever comes first."""
    sources = {
        "name": method("shared"),
        "group": method(
            "other", "info = MethodInfo(groups=('shared',))\ndef score(self, clip, context): ..."
        ),
    }
    registry = load([write(tmp_path, f"{case}.py", sources[case]) for case in (first, second)])
    assert "choose another" in reason(registry, f"{second}.py") and "'shared'" in reason(
        registry, f"{second}.py"
    )
    assert (
        len(
            [
                record
                for record in registry.plugins
                if record.provides and record.name == f"{first}.py"
            ]
        )
        == 1
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.py", "there is no file"),
        ("mine.txt", "is not a Python file"),
        ("folder", "is not a Python file"),
    ],
)
def test_a_plugin_that_is_no_file_is_told(name, text, tmp_path):
    """A wrong path is a broken plugin with the path in its reason."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "mine.txt").write_text("x = 1")
    assert text in reason(load([tmp_path / name]), name)


def test_ctrl_c_in_a_plugin_is_the_users(tmp_path):
    """KeyboardInterrupt is not the plugin's to keep."""
    with pytest.raises(KeyboardInterrupt):
        load([write(tmp_path, "mine.py", "raise KeyboardInterrupt\n")])


def test_a_plugin_may_offer_several_kinds(tmp_path):
    """One file can hold a method and a creator."""
    source = GOOD + textwrap.dedent("""
        from bench import Creator

        class Blackout(Creator):
            name = "blackout"

            def draw(self, clip, start, generator):
                return {}

        @hookimpl
        def bench_creators():
            return [Blackout]
    """).replace("\n", "\n    ")
    registry = load([write(tmp_path, "mine.py", source)])
    assert registry.plugin("creators", "blackout").provides == {
        "methods": ("brightness",),
        "creators": ("blackout",),
    }
    (creator,) = make_creators("blackout", Window(1), lambda frames: frames)
    assert isinstance(creator, Creator)


CREATOR = (
    method("blackout", "def draw(self, clip, start, generator): ...")
    .replace("Method)", "Creator)")
    .replace("bench_methods", "bench_creators")
)


def test_unknown_creators_are_refused_with_the_nearest_name(tmp_path):
    """Creators nobody knows are refused together, each with the nearest name."""
    load([write(tmp_path, "mine.py", CREATOR)])
    with pytest.raises(RequestError) as refused:
        make_creators("blackuot+object", Window(1), lambda frames: frames)
    assert refused.value.mistakes == (
        "no creator 'blackuot' - did you mean 'blackout'? (bench list creators)",
        "no creator 'object' - did you mean 'objects'? (bench list creators)",
    )


def test_a_creator_takes_parameters_like_a_method(tmp_path):
    """A selector in `pseudo` sets parameters; a plus inside its brackets does not separate; a typo
    is refused with what there is."""
    head = "from dataclasses import dataclass\nfrom bench import parameter\n\n@dataclass(frozen=True)\nclass Sizes:\n"
    head += "    sizes: tuple[int, ...] = parameter((2, 3), source='made')\n\n"
    source = CREATOR.replace("    def draw", "    Parameters = Sizes\n    def draw")
    load([write(tmp_path, "sized.py", head + source)])
    (one, two) = make_creators("blackout[sizes=4+5]+blackout", Window(1), lambda frames: frames)
    assert (one.parameters.sizes, two.parameters.sizes) == ((4, 5), (2, 3))
    with pytest.raises(RequestError, match=r"no parameter 'size' - did you mean 'sizes'\?"):
        make_creators("blackout[size=4]", Window(1), lambda frames: frames)


def test_protocols_are_instances(tmp_path):
    """A protocol is offered as an instance with a name."""
    source = (
        "from bench import Protocol, hookimpl\n@hookimpl\ndef bench_protocols():\n    return [%s]\n"
    )
    registry = load(
        [
            write(tmp_path, "good.py", source % "Protocol('wide', window=31)"),
            write(tmp_path, "class.py", source % "Protocol"),
            write(tmp_path, "name.py", source % "Protocol('Wide')"),
        ]
    )
    assert registry.protocols["wide"] == bench.Protocol("wide", window=31)
    assert "offers the class Protocol, expected a list of Protocol instances" in reason(
        registry, "class.py"
    )
    assert "the name 'Wide' must be lower-case" in reason(registry, "name.py")


def test_groups_leave_out_what_needs_parameters(tmp_path):
    """What means nothing without parameters is in no group, whatever it declares."""
    body = "needs_parameters = True\ninfo = MethodInfo(groups=('quirky',))\ndef score(self, clip, context): ..."
    registry = load(
        [write(tmp_path, "mine.py", method("mine", body)), write(tmp_path, "good.py", GOOD)]
    )
    groups = registry.groups("methods")
    assert "brightness" in groups["all"] and "mine" not in groups["all"] and "quirky" not in groups


def test_loading_imports_nothing_heavy():
    """`bench list` and completion stay quick: no torch, no OpenCV, no pandas."""
    code = (
        "import sys; from bench.plugins.registry import load; load(); "
        "print([name for name in ('torch', 'cv2', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'rich') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
