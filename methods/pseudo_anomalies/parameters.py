"""The parameters of training with pseudo-anomalies, and which of them have no effect beside others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from bench import parameter


@dataclass(frozen=True)
class PseudoAnomalyParameters:
    """How a network is trained with pseudo-anomalies; by default it is not."""

    pseudo: str = parameter(
        "none",
        source="no pseudo-anomalies: plain reconstruction",
        doc="creators of pseudo-anomalies (bench list creators) joined by +, or none",
    )
    pseudo_loss: Literal["distinction", "restore", "negative"] = parameter(
        "distinction",
        source="DDL, section 3.3; restore: LNTRA; negative: STEAL, PseudoBound",
        doc="distinction: ratio of both errors; restore: the target is the normal window; negative: the error of pseudo-anomalies is maximised",
    )
    anomaly_weight: Literal["learned", "static"] = parameter(
        "learned",
        source="DDL, section 3.1: learned; section 6: static (.5), SDL",
        doc="sigma(l) of the distinction loss",
    )
    anomaly_learning_rate: float | None = parameter(
        None,
        source="DDL, code: that of the network, 0.01",
        doc="of Adam for a learned l; none: that of the network. A network trained at a lower rate leaves l where it began",
        minimum=0.0,
    )
    distinction: Literal["pixel", "norm"] = parameter(
        "pixel",
        source="DDL, code; the paper has norm: a ratio of norms over the masked frame",
        doc="form of the distinction loss",
    )
    distinction_weight: float = parameter(
        0.01,
        source="DDL, code; the paper names no value",
        doc="lambda: weight of the distinction loss",
        minimum=0.0,
    )
    probability: float | None = parameter(
        None,
        source="1 with distinction (DDL, code), .2 with restore (LNTRA, README), .01 with negative (STEAL, README)",
        doc="share of the samples that each creator makes pseudo-anomalous; none: that of the loss",
        minimum=0.0,
        maximum=1.0,
    )


FIELDS = tuple(item.name for item in fields(PseudoAnomalyParameters))
PROBABILITIES = {"distinction": 1.0, "restore": 0.2, "negative": 0.01}
"""By loss, where the user gives none. Every sample has a pseudo-anomaly under a negative loss only
to make the network unlearn everything."""


def idle_parameters(
    parameters: Any, creators: bool, profiles: Mapping[str, Mapping[str, Any]]
) -> str:
    """Return which parameters were given and have no effect beside the others, in words; empty
    where there are none. What class and profiles set is fine: `c3dsu[pseudo=none]` is.

    Parameters
    ----------
    parameters : of the method, with a probability.
    creators : whether there are pseudo-anomalies.
    profiles : those of the method.
    """
    if not creators:
        idle = [name for name in FIELDS if name != "pseudo"]
        why = "without pseudo-anomalies; set pseudo as well"
    elif parameters.pseudo_loss != "distinction":
        idle = [name for name in FIELDS if name.startswith(("anomaly_", "distinction"))]
        why = f"with pseudo_loss={parameters.pseudo_loss}; pseudo_loss=distinction has a use for %s"
    elif parameters.anomaly_weight == "static":
        idle = ["anomaly_learning_rate"]
        why = "with anomaly_weight=static, which nothing learns; leave %s out"
    else:
        return ""
    usual = {item.name: item.default for item in fields(parameters)}
    usual["probability"] = PROBABILITIES[parameters.pseudo_loss]
    set_by_profiles = [(name, value) for one in profiles.values() for name, value in one.items()]
    given = []
    for name in idle:
        value = getattr(parameters, name)
        if value != usual[name] and (name, value) not in set_by_profiles:
            given.append(name)
    if not given:
        return ""
    verb, them = ("means", "it") if len(given) == 1 else ("mean", "them")
    return f"{' and '.join(given)} {verb} nothing {why.replace('%s', them)}"
