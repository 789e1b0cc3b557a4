"""What `python -m benchmarks` prints and writes of its figures; none is measured here."""

import json

import pytest
from measure import Report, read_earlier


@pytest.fixture
def report():
    made = Report(processor="a processor, 2 cores")
    made.section("a part")
    made.goal("quick enough", 2.0, 1.5)
    made.goal("seconds", 3.0, 2.0, " s", least=False)
    made.figure("frames a second", 50.0, "", "more")
    made.limit("the AUC", 0.5, "one sort")
    return made


def test_figures_stand_beside_goals_and_limits(report, capsys):
    report.limit("sorting", 0.25, "one sort")
    report.conclude(None)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "quick enough 2.00x goal >= 1.5x reached" in lines
    assert "seconds 3.00 s goal <= 2 s MISSED" in lines
    assert "sorting 25% of the limit, one sort" in lines


def test_ratios_to_an_earlier_run(report, capsys, tmp_path):
    """Above 1 is better, whether more or less is; what is new is counted."""
    path = tmp_path / "earlier.json"
    facts = report.facts("0.1")
    facts["figures"] = [{**figure, "value": figure["value"] / 2} for figure in facts["figures"][:3]]
    path.write_text(json.dumps(facts))
    report.conclude(read_earlier(path))
    text = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "quick enough 2.00x 1.00x -> 2.00x" in text
    assert "seconds 0.50x 1.50 s -> 3.00 s" in text
    assert "frames a second 2.00x 25.00 -> 50.00" in text
    assert text[-1] == "1 figure is not in the earlier run"


def test_another_processor_is_said(report, capsys, tmp_path):
    path = tmp_path / "earlier.json"
    path.write_text(json.dumps({**report.facts("0.1"), "processor": "another"}))
    report.conclude(read_earlier(path))
    assert "another processor, or one of the two is quick" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "bench benchmarks 1", "figures": [{"part": 1}]}']
)
def test_a_file_of_something_else_is_refused(text, tmp_path):
    path = tmp_path / "earlier.json"
    path.write_text(text)
    with pytest.raises(
        ValueError, match="is no file that `python -m benchmarks --json FILE` wrote"
    ):
        read_earlier(path)
