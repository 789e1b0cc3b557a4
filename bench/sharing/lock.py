"""requirements.txt of a pack: with which packages, Python and machine a run was made."""

from __future__ import annotations

from bench.runs.manifest import Manifest
from bench.wording import counted


def machine_lines(manifest: Manifest) -> list[str]:
    """Return Python, system, processor, memory and devices of a run, a line each."""
    machine = manifest.machine
    memory = machine.get("memory")
    known = {
        "Python": manifest.versions.get("python"),
        "system": " ".join(
            str(machine[name]) for name in ("system", "release", "machine") if machine.get(name)
        ),
        "processor": machine.get("processor"),
        "cores": machine.get("cores"),
        "memory": f"{memory / 2**30:.1f} GiB" if isinstance(memory, int | float) else "",
        "GPUs": ", ".join(map(str, machine.get("gpus") or [])),
        "device": f"{manifest.device}, {counted(manifest.threads, 'thread')} a cell" if manifest.device else "",
    }  # fmt: skip
    return [f"{name}: {value}" for name, value in known.items() if value]


def lock(manifest: Manifest) -> str:
    """Return the packages of a run with their versions, as `pip install -r` reads them. A run of an
    earlier version kept the most important ones alone, which is said.
    """
    packages = manifest.packages
    said = ["# The packages that were installed where the run was made (bench pack)."]
    if not packages:
        said.append("# An earlier version of bench made it: it kept only these packages.")
        packages = {
            name: version
            for name, version in manifest.versions.items()
            if name != "python" and version and version != "not installed"
        }
    said += [f"# {line}" for line in machine_lines(manifest)]
    return "\n".join([*said, *(f"{name}=={version}" for name, version in packages.items()), ""])
