"""Prints requirements.lock: the versions of every package that bench needs, as they are installed
here. `tox -e lock` runs it in an environment of nothing else.
"""

from __future__ import annotations

import importlib.metadata
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
HEAD = """# With these versions, for Python 3.11 on Linux, the tests pass; `tox -e lock` writes them anew.
# pip install -r requirements.lock && pip install --no-deps vad-bench
"""


def needed() -> dict[str, str]:
    """Return the version of each installed package that bench needs, by its normal name."""
    found: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = list(_that_apply(PROJECT["dependencies"], ""))
    while waiting:
        requirement = waiting.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        found[name] = importlib.metadata.version(requirement.name).partition("+")[0]
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting += _that_apply(importlib.metadata.requires(name) or (), extra)
    return dict(sorted(found.items()))


def _that_apply(texts: Iterable[str], extra: str) -> Iterator[Requirement]:
    for requirement in map(Requirement, texts):
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def lock() -> str:
    """Return the content of requirements.lock."""
    return HEAD + "".join(f"{name}=={version}\n" for name, version in needed().items())


if __name__ == "__main__":
    print(lock(), end="")
