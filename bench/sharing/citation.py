"""CITATION.bib of a pack: bench, and the methods and datasets of the run."""

from __future__ import annotations

from bench.plugins.registry import Registry
from bench.runs.folder import Run


def citation(run: Run, registry: Registry) -> str:
    """Return BibTeX entries; datasets, of which only the sentence is known, as comments."""
    version = run.manifest.versions.get("vad-bench")
    software = (
        "@software{vad-bench,\n"
        "  author  = {{The vad-bench developers}},\n"
        "  title   = {bench: one protocol for video anomaly detection},\n"
        + (f"  version = {{{version}}},\n" if version else "")
        + f"  note    = {{protocol {run.manifest.protocol}}}\n}}"
    )
    methods = {cell.citation: cell.bibtex.strip() for cell in run.cells() if cell.bibtex}
    datasets = []
    for entry in run.manifest.datasets:
        kind = registry.datasets.get(entry.get("name", ""))
        if kind is not None and kind.info.citation:
            datasets.append(f"% {entry.get('label')}: {kind.info.citation}")
    return (
        "\n\n".join(
            [software, *(methods[key] for key in sorted(methods)), *dict.fromkeys(datasets)]
        )
        + "\n"
    )
