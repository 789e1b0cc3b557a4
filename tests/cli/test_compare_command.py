"""`bench compare`: what is printed, and what is refused."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench.cli.commands.compare import command
from bench.errors import RequestError

EVIDENCE = Path(__file__).parents[2] / "results" / "ped2-small"


def compare(*arguments):
    found = CliRunner().invoke(command, list(map(str, arguments)))
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


def test_text_says_numbers_meaning_and_warning():
    """Both methods, the difference with its interval and p, a sentence, and what Ped2 cannot
    carry."""
    shown = compare(EVIDENCE, "c3dsu", "memae").stdout
    assert max(map(len, shown.splitlines())) <= 100
    text = " ".join(shown.split())
    assert "Ped2, labels frame. Protocol median17" in text and "sd over seeds 1.08" in text
    assert "1000 resamples of the clips, 0 redrawn" in text and "95 % over clips" in text
    assert "C3DSU + DDL is better than MemAE over clips like these" in text
    assert "warning: Ped2: 12 test clips, 4 of one class, and 362 normal frames, in 8 clips" in text


def test_rows_are_found_by_the_names_of_the_table_too():
    """Whatever their case."""
    assert compare(EVIDENCE, "C3DSU + DDL", "memAE", "--dataset", "Ped2").stdout == (
        compare(EVIDENCE, "c3dsu", "memae").stdout
    )


def test_json_is_data_alone():
    """On stdout, in fractions, one entry a dataset."""
    (facts,) = json.loads(
        compare(
            EVIDENCE, "steal", "lntra-patch", "--json", "--protocol", "minmax", "--dataset", "ped2"
        ).stdout
    )
    assert facts["protocol"] == "minmax" and facts["dataset"] == "ped2" and facts["metric"] == "auc"
    assert facts["ci_low"] <= facts["difference"] <= facts["ci_high"] and 0 <= facts["p"] <= 1


def test_mistakes_come_at_once():
    """Unknown rows and datasets, each with the nearest name; a row against itself."""
    with pytest.raises(RequestError) as error:
        compare(EVIDENCE, "c3dsuu", "memea", "--dataset", "pde2")
    first, second, third = error.value.mistakes
    assert first.startswith(
        f"no row 'c3dsuu' in {EVIDENCE} - did you mean 'c3dsu'? (its rows: c3dsu, "
    )
    assert "did you mean 'memae'?" in second and third.endswith(
        "no dataset 'pde2' in " + f"{EVIDENCE} - did you mean 'ped2'? (its datasets: ped2)"
    )
    with pytest.raises(RequestError, match="'memae' twice: two different rows are compared"):
        compare(EVIDENCE, "memae", "memae")
    with pytest.raises(RequestError, match="one method, 'memae', cannot be compared"):
        compare("memae")


def test_a_row_without_a_number_says_why():
    """The reason of its cell, on every dataset."""
    with pytest.raises(RequestError, match="ped2: tsc has no number: tsc: no weights of ResNet-50"):
        compare(EVIDENCE, "c3dsu", "tsc")


def test_no_run_is_refused(tmp_path):
    """A folder without run.json."""
    with pytest.raises(RequestError, match="is not a run: it has no run.json"):
        compare(tmp_path, "c3dsu", "memae")


def test_several_runs_are_read_as_one(tmp_path):
    """A copy of a run changes nothing, and nothing is written."""
    other = shutil.copytree(EVIDENCE, tmp_path / "other")
    before = sorted(path for path in tmp_path.rglob("*"))
    assert (
        compare(EVIDENCE, other, "c3dsu", "memae").stdout
        == compare(EVIDENCE, "c3dsu", "memae").stdout
    )
    assert sorted(path for path in tmp_path.rglob("*")) == before
