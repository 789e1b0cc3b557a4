"""results.csv and summary.csv, as pandas frames."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bench.evaluation.measurements import Measurement
from bench.evaluation.summaries import Summary
from bench.plugins.display_names import plain

if TYPE_CHECKING:
    import pandas as pd

RESULT_COLUMNS = (
    "method", "dataset", "scene", "seed", "label_set", "protocol", "metric", "value", "status", "reason", "frames",
    "anomalous_frames", "clips", "clips_left_out", "detector", "profile", "data_share", "device", "method_name",
    "dataset_name",
)  # fmt: skip
SUMMARY_COLUMNS = (
    "method", "dataset", "label_set", "protocol", "metric", "seeds", "seeds_failed", "mean", "sd", "min", "max", "ci_low",
    "ci_high", "ci_method", "chance", "published", "published_source", "paper_protocol", "flags",
    "method_name", "dataset_name",
)  # fmt: skip
DIGITS = 6
"""Of values in files: more than any use of them needs, and few enough to be the same on every
machine."""


def results_frame(measurements: Iterable[Measurement]) -> pd.DataFrame:
    """Return results.csv: one line a cell, scene, label set, protocol and metric; fractions; what
    does not exist is empty.
    """
    import pandas as pd

    lines = []
    for one in measurements:
        cell, result = one.cell, one.result
        counts = result.clips or result.clips_left_out
        lines.append(
            {
                "method": cell.label,
                "dataset": cell.dataset,
                "scene": one.scene,
                "seed": cell.seed,
                "label_set": one.label_set,
                "protocol": one.protocol.name,
                "metric": one.metric,
                "value": rounded(result.value),
                "status": cell.status,
                "reason": " ".join(result.reason.split()),
                "frames": result.frames if counts else None,
                "anomalous_frames": result.anomalous_frames if counts else None,
                "clips": result.clips if counts else None,
                "clips_left_out": result.clips_left_out if counts else None,
                "detector": cell.detector,
                "profile": cell.profile,
                "data_share": cell.data_share,
                "device": cell.device,
                "method_name": plain(cell.display_name),
                "dataset_name": plain(cell.dataset_display_name),
            }
        )
    frame = pd.DataFrame(lines, columns=list(RESULT_COLUMNS))
    for name in ("frames", "anomalous_frames", "clips", "clips_left_out"):
        frame[name] = frame[name].astype("Int64")
    # So that a part of the lines looks as it does among all.
    return frame.astype({"value": float, "data_share": float})


def rounded(value: float | None) -> float | None:
    """Return a value as files keep it."""
    return None if value is None else round(value, DIGITS)


def summary_frame(summaries: Iterable[Summary]) -> pd.DataFrame:
    """Return summary.csv: one line a method, dataset, label set, protocol and metric.

    The columns of the interval (over clips, of the mean over seeds) are empty for metrics other
    than `auc`.
    """
    import pandas as pd

    lines = []
    for summary in summaries:
        values = summary.values if summary.mean is not None else []
        over_clips = summary.interval
        chance = next(
            (one.result.chance for one in summary.measurements if one.result.chance is not None),
            None,
        )
        published = summary.cell.published if summary.metric == "auc" else {}
        lines.append(
            {
                "method": summary.row,
                "dataset": summary.dataset,
                "label_set": summary.label_set,
                "protocol": summary.protocol,
                "metric": summary.metric,
                "seeds": len(summary.measurements),
                "seeds_failed": len(summary.missing),
                "mean": rounded(summary.mean),
                "sd": rounded(summary.sd),
                "min": rounded(min(values, default=None)),
                "max": rounded(max(values, default=None)),
                "ci_low": rounded(over_clips.low) if over_clips else None,
                "ci_high": rounded(over_clips.high) if over_clips else None,
                "ci_method": over_clips.method if over_clips else None,
                "chance": rounded(chance),
                "published": _fraction(published.get("auc", "")),
                "published_source": published.get("source", ""),
                "paper_protocol": summary.cell.paper_protocol,
                "flags": "; ".join(summary.flags()),
                "method_name": summary.name,
                "dataset_name": summary.dataset_name,
            }
        )
    return pd.DataFrame(lines, columns=list(SUMMARY_COLUMNS))


def _fraction(percent: str) -> float | None:
    """Return a published percentage as a fraction; None where nothing, or no number, is printed."""
    try:
        value = float(percent)
    except ValueError:
        return None
    return round(value / 100, DIGITS) if math.isfinite(value) else None
