"""A plugin project, or one plugin file, to begin with: the templates are projects that work, under
names that are replaced.
"""

from __future__ import annotations

import importlib.util
import keyword
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Literal

from bench.errors import RequestError
from bench.plugins.checks import NAME, ONE
from bench.plugins.registry import Registry

TEMPLATES = Path(__file__).parent / "templates"
Kind = Literal["method", "network", "dataset"]
TABLE = {"method": "methods", "network": "methods", "dataset": "datasets"}
"""What a new one is registered as."""


def write_project(
    kind: Kind, name: str, registry: Registry, place: Path, as_file: bool = False
) -> list[Path]:
    """Write the folder `place`/NAME with pyproject.toml, README, plugin and tests; or the plugin
    alone, as `place`/NAME.py. Whole, or not at all.

    Returns the files.

    Raises
    ------
    RequestError : a name that is none, or that is taken; something of that name there already; a
        place that cannot be written.
    """
    module = name.replace("-", "_")
    target = place / (f"{module}.py" if as_file else name)
    mistakes = _mistakes(kind, name, module, registry)
    if target.exists():
        mistakes.append(f"{target} is there already; choose another name, or move it away")
    if mistakes:
        raise RequestError(*mistakes)
    words = {
        f"my-{kind}": name,
        f"my_{kind}": module,
        f"My{kind.capitalize()}": "".join(part.capitalize() for part in name.split("-")),
    }
    template = TEMPLATES / kind
    source = f"src/my_{kind}.py"
    paths = (
        [template / source]
        if as_file
        else sorted(
            path for path in template.rglob("*") if path.is_file() and path.suffix != ".pyc"
        )
    )
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=f".{name}.") as temporary:
            made = Path(temporary) / name
            for path in paths:
                to = made / _replaced(str(path.relative_to(template)), words)
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_text(_replaced(path.read_text(encoding="utf-8"), words), encoding="utf-8")
            shutil.move(made / _replaced(source, words) if as_file else made, target)
    except OSError as error:
        raise RequestError(
            f"cannot write {target}: {error.strerror or error}; change to a folder that can be written"
        ) from error
    return [target] if as_file else sorted(path for path in target.rglob("*") if path.is_file())


def _mistakes(kind: Kind, name: str, module: str, registry: Registry) -> list[str]:
    """Return what is wrong with a name."""
    if not NAME.fullmatch(name) or not module.isidentifier() or name.endswith("-"):
        return [
            f"the name {name!r} must be lower-case letters, digits and hyphens, beginning with a letter, like 'my-{kind}'"
        ]
    table = TABLE[kind]
    if name in registry.table(table):
        return [
            f"there is a {ONE[table]} {name!r} already, from {registry.origins[table, name]}; choose another name"
        ]
    if name in registry.groups(table):
        return [f"{name!r} is the name of a group of {table}; choose another"]
    if (
        keyword.iskeyword(module)
        or module in sys.stdlib_module_names
        or importlib.util.find_spec(module) is not None
    ):
        return [
            f"{name!r} would be the Python module {module!r}, and there is one of that name; choose another"
        ]
    return []


def _replaced(text: str, words: dict[str, str]) -> str:
    for word, other in words.items():
        text = text.replace(word, other)
    return text
