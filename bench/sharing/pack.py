"""One zip of a run, for reviewers and readers: everything that its numbers follow from."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import __version__
from bench.errors import RequestError
from bench.evaluation.run_scores import RunScores
from bench.files.checksums import digest_of, digest_of_text
from bench.plugins.registry import Registry
from bench.reporting.run_verification import verify_run
from bench.runs.folder import Run
from bench.runs.status import Status
from bench.sharing.anonymous_run import write_anonymous
from bench.sharing.archive import write_archive
from bench.sharing.checklist import checklist
from bench.sharing.citation import citation
from bench.sharing.claims import RUN, claims
from bench.sharing.lock import lock
from bench.sharing.model_cards import model_cards
from bench.sharing.run_files import other_files, run_files

SUMS = "SHA256SUMS"
"""As `sha256sum -c` reads it."""
ABOUT = "pack.json"
FORMAT = 1
"""Version of the layout of a pack."""
MOST = 5
"""Findings that a refusal names."""


@dataclass(frozen=True)
class Pack:
    """What was written."""

    path: Path
    files: int
    left_out: tuple[str, ...]
    """A sentence for each thing of the run's folder that is not in it."""


def pack_run(run: Run, registry: Registry, path: Path, anonymous: bool = False) -> Pack:
    """Write a run as one zip. Equal runs give equal bytes.

    Parameters
    ----------
    anonymous : take out names of people and machines, and paths (`write_anonymous`).

    Raises
    ------
    RequestError : there is something at `path`; the run is at work, has no tables, or does not
        verify.
    RunError : a file cannot be read or written.
    """
    _check(run, registry, path)
    left_out = [f"{name}: not needed by readers" for name in other_files(run)]
    if not anonymous:
        files = pack_files(run, registry, run.path.resolve().name)
        write_archive(path, files)
        return Pack(path, len(files), tuple(left_out))
    with tempfile.TemporaryDirectory(prefix="bench-pack-") as folder:
        made = Run(Path(folder) / RUN)
        left_out += write_anonymous(run, made.path, registry)
        files = pack_files(made, registry, "anonymous")
        write_archive(path, files)
    return Pack(path, len(files), tuple(left_out))


def pack_files(run: Run, registry: Registry, name: str) -> dict[str, str | Path]:
    """Return the content of a pack by names in the zip: all below one folder."""
    files: dict[str, str | Path] = {
        f"{RUN}/{place}": path for place, path in run_files(run).items()
    }
    about = {"format": FORMAT, "bench": __version__}
    files |= documents(run, registry) | {ABOUT: json.dumps(about, indent=1) + "\n"}
    sums = {
        place: digest_of_text(content) if isinstance(content, str) else digest_of(content)
        for place, content in files.items()
    }
    files[SUMS] = "".join(f"{digest}  {place}\n" for place, digest in sorted(sums.items()))
    return {f"{name}/{place}": content for place, content in files.items()}


def documents(run: Run, registry: Registry) -> dict[str, str]:
    """Return what stands beside the run in its pack, by name: texts that follow from its folder.

    Raises
    ------
    RequestError : a table under a protocol or metric of a plugin that is not loaded.
    """
    run_scores = RunScores(run, registry)
    cards = model_cards(run, run_scores, registry)
    return {
        "README.md": _readme(run, bool(cards)),
        "claims.md": claims(run, run_scores, registry),
        "checklist.md": checklist(run, run_scores, registry),
        "requirements.txt": lock(run.manifest),
        "CITATION.bib": citation(run, registry),
        **cards,
    }


def _check(run: Run, registry: Registry, path: Path) -> None:
    """Refuse what would be no honest pack."""
    if path.exists():
        raise RequestError(
            f"{path} is there already; move it away, or name another file with --out"
        )
    if not path.parent.is_dir():
        raise RequestError(f"there is no folder {path.parent} to write {path.name} to")
    working = [cell for cell in run.cells() if cell.status in (Status.QUEUED, Status.RUNNING)]
    if working:
        raise RequestError(
            f"{run.path}: {len(working)} cells are not finished, as {working[0].label} on "
            f"{working[0].dataset}; the same `bench run` line goes on with them (bench status {run.path})"
        )
    if not run.report.tables().is_dir():
        raise RequestError(f"{run.path} has no tables; make them with: bench report {run.path}")
    found = verify_run(run.path, registry).wrong
    if found:
        raise RequestError(
            f"{run.path} is not packed: its numbers or files differ in {len(found)} places (bench verify {run.path})",
            *(f"  {finding.subject}: {finding.text}" for finding in found[:MOST]),
        )


def _readme(run: Run, has_cards: bool) -> str:
    cards = "| `model_cards/` | a card for each model whose weights are here |\n" * has_cards
    page = f", `{RUN}/report.html`: the page to look at" * run.report.page().is_file()
    return f"""# A run of bench

| file | what it is |
|---|---|
| `{RUN}/` | the folder of the run: run.json, cells with scores, labels, tables{page} |
| `claims.md` | each number of each table, and the commands that made it and make it again |
| `checklist.md` | answers to what reproducibility checklists ask |
| `requirements.txt` | the packages and the machine that made it |
| `CITATION.bib` | what to cite |
{cards}| `{SUMS}` | a checksum of each file; `sha256sum -c {SUMS}` |

The zip as it was received can be checked whole, without the datasets and without training:

```
pip install vad-bench
bench verify FILE.zip
```

This compares all checksums, computes every number of every table again from scores and labels, and
says what differs. `bench report {RUN}`, `bench score {RUN}` and `bench.load("{RUN}")` in Python work
on the unpacked folder; `bench run --from {RUN}` makes all scores again, with the datasets.
"""
