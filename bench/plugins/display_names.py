r"""Display names: what tables print for a method, a dataset or a row that a selection names.

A display name is one line of text. A formula in it stands between dollar signs, as in
`FlowCast, $T=4$`: LaTeX sets it as one, every other form shows it as text. Only formulas of
letters, digits, `COMMANDS` and scripts are taken, so that no name can run a command of LaTeX.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bench.contracts.parameters import format_value

LONGEST = 60
"""Characters of a name. Chosen here: a row name of two lines in a column of a paper."""
VALUE = 30
"""Characters of a parameter's value that a derived name shows. Chosen here."""
COMMANDS = {
    r"\alpha": "α", r"\beta": "β", r"\gamma": "γ", r"\delta": "δ", r"\epsilon": "ε",
    r"\varepsilon": "ε", r"\zeta": "ζ", r"\eta": "η", r"\theta": "θ", r"\kappa": "κ",
    r"\lambda": "λ", r"\mu": "µ", r"\nu": "ν", r"\xi": "ξ", r"\pi": "π", r"\rho": "ρ",
    r"\sigma": "σ", r"\tau": "τ", r"\phi": "φ", r"\varphi": "φ", r"\chi": "χ", r"\psi": "ψ",
    r"\omega": "ω", r"\Gamma": "Γ", r"\Delta": "Δ", r"\Theta": "Θ", r"\Lambda": "Λ",
    r"\Sigma": "Σ", r"\Phi": "Φ", r"\Psi": "Ψ", r"\Omega": "Ω", r"\ell": "ℓ", r"\times": "×",
    r"\cdot": "·", r"\pm": "±", r"\to": "→", r"\rightarrow": "→", r"\leq": "≤", r"\geq": "≥",
    r"\neq": "≠", r"\approx": "≈", r"\sim": "~", r"\infty": "∞", r"\ldots": "…", r"\dagger": "†",
    r"\star": "*",
}  # fmt: skip
"""What a formula may use, and how it is shown as text."""
_FONTS = frozenset({r"\mathrm", r"\mathit", r"\mathbf", r"\mathcal", r"\mathsf"})
_LETTERS = frozenset("=+-*/.,:;!?()[]<>| ")
_RAISED = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_LOWERED = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")


def find_mistake(name: str) -> str:
    """Return why a text cannot be a display name; empty where it can."""
    if not name.strip():
        return "a name is empty"
    if len(name) > LONGEST:
        return f"the name {name[:LONGEST]!r}... has {len(name)} characters; at most {LONGEST} fit"
    if name.count("$") % 2:
        return f"the name {name!r} has a '$' without a second one: a formula stands between two"
    for formula in name.split("$")[1::2]:
        if not _is_safe(formula):
            return (
                f"the name {name!r}: ${formula}$ is no formula of letters, digits, _ ^ and commands "
                "like \\alpha, \\times and \\mathrm{...}"
            )
    return ""


def parts(name: str) -> list[tuple[str, bool]]:
    """Return the pieces of a name, each with whether it is a formula; a name with a formula that is
    not taken is all text.
    """
    formulas = name.split("$")[1::2]
    if name.count("$") % 2 or not all(map(_is_safe, formulas)):
        return [(name, False)]
    return [(piece, bool(place % 2)) for place, piece in enumerate(name.split("$")) if piece]


def plain(name: str) -> str:
    """Return a name as text, e.g. 'FlowCast, T=4'."""
    shown = "".join(_as_text(text) if formula else text for text, formula in parts(name))
    return " ".join(shown.split())


def derived(identifier: str) -> str:
    """Return a display name for something registered that has none: 'nearest-frame' is 'Nearest
    frame'.
    """
    words = " ".join(re.split(r"[-_]+", identifier)).strip() or identifier
    return words[:1].upper() + words[1:]


def with_values(name: str, values: Mapping[str, object]) -> str:
    """Return a name followed by the parameters that the user gave. Of a path, only the last part
    that does not hold a placeholder is shown: 'Scores (memae, first=8)'.
    """
    shown = []
    for key, value in values.items():
        text = value if isinstance(value, str) else format_value(value)
        if "[" in text:  # a selector: only the paths in it are shortened
            text = re.sub(r"(\w+=)[^\[\],]*[/\\]", r"\1", text)
        elif isinstance(value, Path) or re.search(r"[/\\]", text):
            shown.append(_cut(_last_part(text)))
            continue
        shown.append(f"{key}={_cut(text)}")
    return f"{name} ({', '.join(shown)})" if shown else name


def _last_part(path: str) -> str:
    pieces = [piece for piece in re.split(r"[/\\]+", path) if piece] or [path]
    own = [piece for piece in pieces if "{" not in piece] or pieces
    return re.sub(r"\.\w{1,5}$", "", own[-1]) or own[-1]


def _cut(text: str) -> str:
    text = " ".join(text.split()).replace("$", "")
    return text if len(text) <= VALUE else text[: VALUE - 1] + "…"


def _is_safe(formula: str) -> bool:
    """Whether LaTeX sets a formula without an error, and without any command that is not listed."""
    used: list[set[str]] = [set()]  # scripts of the last atom, by depth of braces
    waiting = [False]  # for the argument of a script
    font = False  # waits for its braces
    for token in re.findall(r"\\[A-Za-z]+|.", formula, re.DOTALL):
        if font and token != "{":
            return False
        if token in ("_", "^"):
            if waiting[-1] or token in used[-1]:
                return False
            used[-1].add(token)
            waiting[-1] = True
        elif token == "{":
            font = False
            used.append(set())
            waiting.append(False)
        elif token == "}":
            if len(used) == 1 or waiting[-1]:
                return False
            used.pop()
            waiting.pop()
            used[-1], waiting[-1] = used[-1] if waiting[-1] else set(), False
        elif token in _FONTS:
            font = True
        elif token in COMMANDS or token in _LETTERS or (token.isascii() and token.isalnum()):
            used[-1], waiting[-1] = used[-1] if waiting[-1] else set(), False
        else:
            return False
    return bool(formula.strip()) and len(used) == 1 and not waiting[-1] and not font


def _as_text(formula: str) -> str:
    text = re.sub(r"\\[A-Za-z]+", lambda found: COMMANDS.get(found[0], ""), formula)
    text = re.sub(r"\^(\{[^{}]*\}|.)", lambda found: _script(found[1], "^", _RAISED), text)
    text = re.sub(r"_(\{[^{}]*\}|.)", lambda found: _script(found[1], "_", _LOWERED), text)
    return re.sub(r"[{}]", "", text)


def _script(text: str, sign: str, table: dict[int, int]) -> str:
    text = text.strip("{}")
    return text.translate(table) if all(ord(letter) in table for letter in text) else sign + text
