"""What is decided before the first cell starts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bench import DataError, RequestError, Scores
from bench.contracts.compute import CHANGES_SCORES, Compute
from bench.contracts.method import PublishedAUC
from bench.planning import cells as cells_module
from bench.planning.plan import make_plan
from bench.planning.request import (
    Request,
    data_roots,
    line_to_go_on,
    parse_seeds,
    seed_ranges,
)
from bench.planning.reuse import differences
from bench.plugins.registry import load
from bench.running.session import run_finder
from bench.runs.folder import Run
from bench.runs.manifest import Manifest
from bench.tables.forms.paper_layout import supervision_of


@pytest.fixture
def plan_of(tmp_path):
    def plan(methods, datasets, **more):
        compute = Compute(
            "cpu", **{name: more.pop(name) for name in CHANGES_SCORES if name in more}
        )
        request = Request(methods, datasets, compute=compute, data=(tmp_path / "data",), **more)
        return make_plan(request, load(), lambda signature: (Run(tmp_path / "run"), False))

    (tmp_path / "data").mkdir()
    return plan


@pytest.fixture
def labels_only(tmp_path):
    """Avenue as far as many have it: a label file, and no frame."""
    from bench.datasets import Avenue

    folder = tmp_path / "data" / "avenue" / "labels"
    folder.mkdir(parents=True)
    labels = {
        clip: (np.arange(length) % 7 == 0).astype(np.uint8)
        for clip, length in Avenue.expected["test"].items()
    }
    np.savez(folder / "pixel.npz", **labels)


def test_labels_alone_are_enough_where_no_frame_is_needed(plan_of, labels_only):
    """A method that needs lengths runs, on the whole of its data; one that needs frames has a
    reason."""
    plan = plan_of("constant,pca", "avenue")
    constant, pca = (cell.record for cell in plan.cells)
    assert (constant.status, constant.data_share) == ("queued", 1.0)
    assert pca.status == "no data"
    assert "only labels" in pca.reason


def test_a_number_leads_back_to_the_code_that_made_it(plan_of, labels_only, monkeypatch):
    """Each cell carries the commit that began it, whichever commands came after."""
    monkeypatch.setattr(cells_module, "git_state", lambda: "0123456789abcdef+")
    (cell,) = plan_of("constant", "avenue").cells
    assert cell.record.git == "0123456789abcdef+"


def test_row_with_released_weights_is_of_profile_paper(plan_of, tmp_path):
    """Whatever the profile of the run is; the other rows keep it."""
    plan = plan_of(f"memae,memae[weights={tmp_path / 'memae.pt'}]", "demo-ped2", profile="small")
    assert [(cell.record.profile, cell.record.parameters["width"]) for cell in plan.cells] == [
        ("small", 0.25),
        ("paper", 1.0),
    ]
    assert plan.cells[1].record.reason.startswith("memae: no weights at ")


def test_row_with_released_weights_is_one_cell_of_a_one_class_network(plan_of, tmp_path):
    """Whatever the seeds: nothing is drawn, and the weights were learned from normal videos."""
    plan = plan_of(
        f"ae-3d,memae[weights={tmp_path / 'memae.pt'}]",
        "demo-ped2",
        seeds=(0, 1, 2),
        profile="smoke",
    )
    given = [cell.record for cell in plan.cells if cell.record.method == "memae"]
    assert [(cell.seed, supervision_of(cell)) for cell in given] == [(0, "one-class")]
    assert [cell.record.seed for cell in plan.cells] == [0, 1, 2, 0]


def test_missing_member_of_a_group_is_a_reason_and_one_named_singly_is_refused(
    plan_of, labels_only
):
    """`all` goes on without ped2 and shanghaitech; `ped2` by name is refused before work."""
    plan = plan_of("constant", "all")
    assert {cell.record.dataset: cell.record.status for cell in plan.cells} == {
        "ped2": "no data",
        "avenue": "queued",
        "shanghaitech": "no data",
    }
    with pytest.raises(RequestError, match="ped2"):
        plan_of("constant", "ped2,avenue")


def test_all_mistakes_come_at_once(plan_of):
    """Four mistakes, four lines."""
    with pytest.raises(RequestError) as caught:
        plan_of("pcaa", "pde2", protocol="medin17", profile="smal", detector="motio")
    text = "\n".join(caught.value.mistakes)
    for meant in ("'pca'", "'ped2'", "'median17'", "'small'", "'motion'"):
        assert f"did you mean {meant}" in text


def test_profile_small_without_a_gpu_is_said(plan_of, labels_only):
    """Who names no profile on a CPU is told which it is, and how to insist on the paper's."""
    notes = " ".join(plan_of("constant", "avenue").notes)
    assert "using profile small" in notes
    assert "--profile paper" in notes
    assert not plan_of("constant", "avenue", profile="small").notes


def test_published_only_rows_have_a_reason_and_nothing_to_run(plan_of, labels_only):
    """A method without a public specification is planned, with its published number, and never
    run."""
    plan = plan_of("mamc,constant", "avenue")
    mamc = plan.cells[0].record
    assert (mamc.status, mamc.published["auc"]) == ("published only", "87.6")
    assert "no public specification" in mamc.reason
    assert [cell.record.method for cell in plan.to_run] == ["constant"]


def test_what_a_method_lacks_is_the_reason_of_its_cells(plan_of, labels_only, monkeypatch):
    """A method whose `check` refuses has a dash with that reason; the other rows stand."""
    from bench.methods.trivial import Constant

    def check(self, dataset):
        raise DataError(f"constant: no weights for {dataset}; get them")

    monkeypatch.setattr(Constant, "check", check)
    plan = plan_of("constant,frame-index", "avenue")
    assert [(cell.record.status, cell.record.reason) for cell in plan.cells] == [
        ("no data", "constant: no weights for avenue; get them"),
        ("queued", ""),
    ]


def test_method_without_randomness_has_one_cell(plan_of, labels_only):
    """Seeds multiply only what they change."""
    assert [cell.record.seed for cell in plan_of("constant", "avenue", seeds=(0, 1, 2)).cells] == [
        0
    ]


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0", (0,)), ("0,1,2", (0, 1, 2)), ("0-4", (0, 1, 2, 3, 4)), ("3,1-2,3", (3, 1, 2))],
)
def test_seeds_are_understood(text, seeds):
    """Single ones, lists and ranges, each once."""
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("seeds", "text"),
    [((0,), "0"), ((0, 1, 2, 3), "0-3"), ((5, 0, 1, 7), "5,0-1,7"), ((2, 1, 0), "2,1,0")],
)
def test_seeds_are_said_as_they_are_read(seeds, text):
    assert seed_ranges(seeds) == text
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "a", "-1", "1-", "4-2", "1.5", "99999999999", "0-99999999999"]
)
def test_wrong_seeds_are_refused(text):
    """With what was typed."""
    with pytest.raises(RequestError, match="--seeds"):
        parse_seeds(text)


def test_data_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    """By --data and by BENCH_DATA, with its name."""
    with pytest.raises(RequestError, match="--data: there is no folder"):
        data_roots((tmp_path / "gone",))
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "gone"))
    with pytest.raises(RequestError, match="BENCH_DATA: there is no folder"):
        data_roots(())


def test_folder_of_a_run_that_never_began_is_taken(tmp_path):
    """Where the disk had no room for run.json, a lock is left, and the same --out works later;
    other things are refused as ever."""
    find = run_finder(tmp_path / "run", False)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").touch()
    (tmp_path / "run" / ".run.json.x1y2").touch()
    run, resumed = find({})
    assert (run.path, resumed) == (tmp_path / "run", False)
    (tmp_path / "run" / "notes.txt").touch()
    with pytest.raises(RequestError, match="holds other things and is no run"):
        find({})


def test_a_parameter_that_an_earlier_version_had_not_keeps_its_cells(plan_of, labels_only):
    """None means: as before there was such a parameter. Any other value is another cell."""
    before = {"method": "x", "parameters": {"latent": 512}}
    assert differences(before, {"method": "x", "parameters": {"latent": 512, "rate": None}}) == []
    assert differences(before, {"method": "x", "parameters": {"latent": 512, "rate": 0.01}}) == [
        "parameters"
    ]
    assert differences({**before, "precision": "bf16"}, before) == ["precision"]


def test_a_change_of_bf16_alone_leaves_cells_in_fp32_as_they_are(plan_of):
    """The networks of DDL join their first kernels in bf16 alone since version 3 of it."""
    (exact,) = plan_of("c3dsu-plain", "demo-ped2").cells
    (rounded,) = plan_of("c3dsu-plain", "demo-ped2", precision="bf16").cells
    assert "bf16_version" not in exact.record.key and exact.record.key["version"] == 1
    assert rounded.record.key["bf16_version"] == 3


def test_equal_cells_under_two_selectors_are_one(plan_of):
    """A parameter that is given as it is anyway changes nothing: one row, under the plain selector,
    and it is said. Others stay."""
    plan = plan_of("pca[size=32],pca,pca[size=16]", "demo-avenue", profile="paper")
    labels = [cell.record.label for cell in plan.cells]
    size = plan.cells[0].record.parameters["size"]
    assert labels == ["pca", "pca[size=16]"] and size == 32
    assert [note for note in plan.notes if "one row" in note] == [
        "pca[size=32] is pca: its parameters are the same, and both are one row"
    ]


def test_an_equal_cell_that_is_done_is_not_computed_again(plan_of, tmp_path):
    """Under another selector than it was asked for with, in a run that goes on; forced by either
    name it is."""
    (first,) = plan_of("pca", "demo-avenue").cells
    run = Run(tmp_path / "run")
    record = first.record
    record.status = "done"
    run.write_cell(record)
    run.write_scores(record, {"01": Scores(np.zeros(3), np.arange(3))})
    run.write_manifest(Manifest(cells=[vars(record)]))
    plan = plan_of("pca[size=32]", "demo-avenue")
    (cell,) = plan.cells
    assert (cell.reuse, cell.record.folder, cell.record.label) == (True, record.folder, "pca")
    assert (
        "pca[size=32] on demo-avenue is pca, which is done: it is not computed again" in plan.notes
    )
    (cell,) = plan_of("pca,pca[size=32]", "demo-avenue", force="pca[size=32]").cells
    assert (cell.reuse, cell.why) == (False, "forced")
    (cell,) = plan_of("pca[size=16]", "demo-avenue").cells
    assert not cell.reuse and cell.record.folder != record.folder


def test_equal_datasets_under_two_selectors_are_one(plan_of):
    """As methods are; their parameters decide."""
    plan = plan_of(
        "constant",
        "demo-shanghaitech[models=one],demo-shanghaitech,demo-shanghaitech[models=per-scene]",
    )
    assert [planned.selected.text for planned in plan.datasets] == [
        "demo-shanghaitech",
        "demo-shanghaitech[models=per-scene]",
    ]
    assert len([note for note in plan.notes if "both are one row" in note]) == 1


def test_words_about_a_cell_that_is_used_again_are_those_of_now(plan_of, tmp_path):
    """Whatever the method says of itself, and what is published of it, may have changed since; what
    was measured stays."""
    (now,) = plan_of("memae", "demo-ped2", profile="smoke").cells
    words = {
        "label": "old", "family": "old", "citation": "old2000", "bibtex": "@misc{old2000}", "year": 1999, "detector": "old", "ablation": ["old", "old"],
        "deviations": ["old"], "extra_knowledge": "old", "published": {"auc": "1.0", "source": "old"}, "paper_protocol": "raw", "normalises_clips": True,
    }  # fmt: skip
    before = replace(
        now.record, status="done", seconds={"fit": 3.0}, warnings=["measured"], **words
    )
    run = Run(tmp_path / "run")
    run.write_cell(before)
    run.write_scores(before, {"01": Scores(np.zeros(3), np.arange(3))})
    run.write_manifest(Manifest(cells=[vars(before)]))
    (found,) = plan_of("memae", "demo-ped2", profile="smoke").cells
    assert found.reuse and (found.record.seconds, found.record.warnings) == (
        {"fit": 3.0},
        ["measured"],
    )
    assert {name: getattr(found.record, name) for name in words} == {
        name: getattr(now.record, name) for name in words
    }


def test_the_protocol_of_a_paper_is_part_of_the_plan(plan_of, labels_only, tmp_path):
    """Of a method its own, of scores from a file what the user says; one that is none is refused
    before anything is computed."""
    np.savez(tmp_path / "a.npz", x=np.zeros(3))
    asked = f'memae,constant,scores[path={tmp_path}/a.npz,paper_protocol="raw[labels=pixel]"]'
    records = [cell.record for cell in plan_of(asked, "avenue").cells]
    assert [one.paper_protocol for one in records] == ["minmax", "", "raw[labels=pixel]"]
    with pytest.raises(RequestError) as error:
        plan_of(f"scores[path={tmp_path}/a.npz,paper_protocol=minmx]", "avenue")
    assert "paper_protocol: no protocol 'minmx' - did you mean 'minmax'?" in str(error.value)


def test_a_published_number_that_changed_stands_in_a_cell_that_is_used_again(
    plan_of, tmp_path, monkeypatch
):
    """published.csv was corrected since the cell was computed."""
    (now,) = plan_of("constant", "demo-ped2").cells
    run = Run(tmp_path / "run")
    before = replace(now.record, status="done")
    run.write_cell(before)
    run.write_scores(before, {"01": Scores(np.zeros(3), np.arange(3))})
    run.write_manifest(Manifest(cells=[vars(before)]))
    monkeypatch.setattr(
        cells_module,
        "published_of",
        lambda name, info: [PublishedAUC("demo-ped2", "99.9", "Smith 2020")],
    )
    (found,) = plan_of("constant", "demo-ped2").cells
    assert found.reuse and found.record.published == {"auc": "99.9", "source": "Smith 2020"}


@pytest.mark.parametrize("force", ["--force 'mnad[a=1]'", "--force='mnad[a=1]'"])
def test_line_that_goes_on_repeats_no_option_that_begins_anew(force):
    """It names the folder, and keeps every other word."""
    line = line_to_go_on(
        f"bench run --methods 'mnad[a=1]' --new {force} --seeds 0 --detach", Path("a b")
    )
    assert line == "bench run --methods 'mnad[a=1]' --seeds 0 --out 'a b'"
    assert (
        line_to_go_on("bench run --out=x --methods pca", Path("y"))
        == "bench run --out=x --methods pca"
    )
