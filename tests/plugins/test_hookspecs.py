"""Every hook is documented in five points, and its example runs."""

import inspect
import re
import textwrap

import pytest

from bench.plugins import hookspecs
from bench.plugins.checks import HOOKS, KINDS
from bench.plugins.registry import load

POINTS = ["Called", "Arguments", "Returns", "Results", "Example"]
SPECS = {
    name: function for name, function in vars(hookspecs).items() if hasattr(function, "bench_spec")
}


def points(function) -> dict[str, str]:
    """Return point -> text, in the order of the docstring: a point is a line that begins with its
    word, less indented than its text."""
    found: dict[str, str] = {}
    for line in inspect.getdoc(function).splitlines():
        word = re.match(r"([A-Z][a-z]+)\b:?", line)
        if word and word[1] in POINTS:
            assert word[1] not in found, f"{word[1]} twice"
            found[word[1]] = line[len(word[0]) :].strip()
        elif found:
            last = list(found)[-1]
            found[last] += "\n" + line
    return found


def test_hooks_are_those_that_the_registry_asks():
    """No hook is specified that nobody asks, and none is asked that is not specified."""
    assert list(SPECS) == list(HOOKS) and set(HOOKS.values()) == set(KINDS)


@pytest.mark.parametrize("hook", SPECS)
def test_hook_has_five_points_in_order(hook):
    """When it is called, with what, what it returns, what becomes of it, and the shortest
    plugin."""
    found = points(SPECS[hook])
    assert list(found) == POINTS
    assert all(text.strip() for text in found.values())
    assert re.match(r"^[A-Z].*\.$", inspect.getdoc(SPECS[hook]).splitlines()[0])


@pytest.mark.parametrize("hook", SPECS)
def test_hook_documents_its_arguments(hook):
    """Each argument of a hook is named in its docstring; 'none' stands where there is none."""
    arguments = list(inspect.signature(SPECS[hook]).parameters)
    text = points(SPECS[hook])["Arguments"]
    assert all(f"`{argument}`" in text for argument in arguments)
    assert arguments or text.strip() == "none."


@pytest.mark.parametrize("hook", SPECS)
def test_hook_example_runs(hook, tmp_path, no_registry):
    """The example of each hook is a plugin that works."""
    file = tmp_path / "example.py"
    file.write_text(textwrap.dedent(points(SPECS[hook])["Example"]))
    registry = load([file])
    (record,) = [record for record in registry.plugins if record.file == file]
    assert record.broken is None
    assert list(record.provides) == [HOOKS[hook]] and len(record.provides[HOOKS[hook]]) == 1
