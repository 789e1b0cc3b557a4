"""The tables localisation and operator, on runs made up: numbers worked out by hand, reasons of
dashes, tracks read or refused."""

from dataclasses import replace

import numpy as np
import pytest
from made_run import LENGTHS, MASKS, done, labels_of, make_run, regions

from bench import Scores
from bench.errors import RequestError
from bench.evaluation.anomaly_tracks import find_tracks, read_tracks
from bench.evaluation.run_scores import RunScores
from bench.plugins.registry import load
from bench.runs.merged import MergedRun
from bench.runs.regions import TrueRegions
from bench.tables.forms.latex import to_latex
from bench.tables.forms.text import to_text
from bench.tables.kinds import KINDS, open_source


def shown(run, kind, tracks=(), protocol="raw"):
    registry = load()
    source = open_source(
        run, registry, registry.protocols[protocol], registry.metrics["auc"], tracks
    )
    (table,) = KINDS[kind].make(source)
    return table


def entries(table):
    return {
        row.name: [cell.shown or (cell.mark, *cell.notes) for cell in row.cells]
        for row in table.rows
    }


@pytest.fixture
def run(tmp_path):
    made = make_run(
        tmp_path / "run",
        [done("net", seed=0), done("net", seed=1), done("other"), done("old"), done("mapless", kept=["regions"]),
         ("broken", 0, "failed", "it broke", 0, {})],
        regions=MASKS, resolution=(20, 40), frame_rate=10.0,
    )  # fmt: skip
    for cell in made.cells():
        if cell.label == "net":
            made.write_regions(cell, regions(0.5 + 0.2 * cell.seed))
        if cell.label == "other":
            made.write_regions(cell, regions(0.5, false=0.5))
    return made


def test_numbers_and_reasons_of_the_localisation_table(run):
    """Without false regions all is found; with half a false region a frame beside the second half,
    the area is .5 * .75 + .5."""
    table = shown(run, "localisation")
    assert table.columns == ["pixel AUC", "RBDC, components"]
    assert entries(table) == {
        "net": ["100.00", "100.00"],
        "other": ["100.00", "87.50"],
        "old": [("-", "a")] * 2,
        "mapless": [("-", "b")] * 2,
        "broken": [("failed", "c")] * 2,
    }
    texts = dict(table.footnotes)
    assert "--keep regions --force 'old' makes them" in texts["a"]
    assert (texts["b"], texts["c"]) == ("gives no error maps", "it broke")
    assert (
        "on connected components of the pixel masks, not on the regions of tracks" in table.caption
    )
    assert "TBDC needs tracks: bench report RUN --tracks DIR" in table.caption
    (first, *_) = table.rows
    assert first.cells[0].sd == 0
    assert first.cells[1].rank == 1
    assert "40 connected components (8 neighbours) in 40 frames" in table.notes[0]
    assert "\\label{tab:x}" in to_latex(table, "tab:x")


def test_dropped_regions_are_said(run):
    """They are counted as false, in the number and in a note."""
    (cell,) = [cell for cell in run.cells() if cell.label == "other"]
    kept = regions(0.5)
    kept.clips["01"].dropped[0] = 12
    run.write_regions(cell, kept)
    table = shown(run, "localisation")
    assert float(entries(table)["other"][1]) < 100
    assert any("12 are counted as false and were not kept" in note for note in table.notes)


def test_masks_that_changed_after_scoring_are_noticed(run):
    """A frame that has a region now, and had none when its map was looked at."""
    record = run.dataset("made")
    more = TrueRegions(np.array([[0, 0, 3, 3]], np.int32), np.array([0], np.int32), (20, 40))
    run.write_dataset(replace(record, regions={**record.regions, "02": more}))
    table = shown(run, "localisation")
    assert entries(table)["net"] == [("-", "a")] * 2
    assert (
        "the pixel masks of clip 02 have changed since it was scored" in dict(table.footnotes)["a"]
    )


def test_clips_without_masks_do_not_count(run):
    """Some clips of Ped1 have masks; the others are no normal video for all that is known."""
    record = run.dataset("made")
    run.write_dataset(replace(record, regions={"02": MASKS["02"]}))
    table = shown(run, "localisation")
    assert entries(table)["net"][0] == "100.00"
    assert "of 1 of 3 clips, the others do not count" in table.notes[0]


def test_a_dataset_without_masks_says_so(tmp_path):
    """The reason comes from preparing."""
    made = make_run(
        tmp_path / "run", [done("net")], problems={"regions": "made: no pixel masks below here"}
    )
    made.write_regions(made.cells()[0], regions())
    table = shown(made, "localisation")
    assert entries(table)["net"] == [("-", "a")] * 2
    assert table.footnotes[0][1] == "made: no pixel masks below here"


def test_a_run_without_regions_has_no_table(tmp_path):
    """What makes them is said in the place of the table."""
    made = make_run(tmp_path / "run", [done("net")])
    registry = load()
    source = open_source(made, registry, registry.protocols["raw"], registry.metrics["auc"])
    assert not KINDS["localisation"].make(source) and not KINDS["operator"].make(source)
    assert (
        "--keep regions" in KINDS["localisation"].absent
        and "--keep train-scores" in KINDS["operator"].absent
    )


def test_regions_of_several_runs_are_read_from_their_own_folders(run, tmp_path):
    """The masks come from the run that has them, even where the first has none."""
    without = make_run(tmp_path / "without", [done("third")])
    merged = MergedRun(tmp_path / "both", [without, run])
    assert entries(shown(merged, "localisation"))["net"] == ["100.00", "100.00"]


# -- tracks ----------------------------------------------------------------------------------------


def write_tracks(folder, clips=LENGTHS):
    """The regions of the masks, as one track of each clip; the last pixel of a box is inside."""
    folder.mkdir()
    for clip in clips:
        lines = [f"0, {frame}, 4.0, 4, 7, 7" for frame in np.flatnonzero(labels_of()[clip])]
        (folder / f"{clip}.txt").write_text("\n".join(lines) + "\n\n")
    return folder


def test_tracks_give_rbdc_and_tbdc_beside_the_components(run, tmp_path):
    """A track is found with a tenth of its regions: all tracks without a false region."""
    folder = write_tracks(tmp_path / "tracks")
    table = shown(run, "localisation", [str(folder)])
    assert table.columns == ["pixel AUC", "RBDC, components", "RBDC, tracks", "TBDC, tracks"]
    assert entries(table)["other"] == ["100.00", "87.50", "87.50", "100.00"]
    assert any("40 regions of 3 tracks" in note for note in table.notes)
    assert "TBDC needs" not in table.caption
    assert entries(shown(run, "localisation", [f"made={folder}"]))["other"][3] == "100.00"


def test_boxes_of_tracks_become_shares_of_the_frame(tmp_path):
    """Ends included, as the public evaluation counts them."""
    (tmp_path / "01.txt").write_text("3,7,0,5,39,9\n")
    found = read_tracks(tmp_path / "01.txt", 8, (20, 40))
    np.testing.assert_allclose(found.boxes, [[0, 0.25, 1, 0.5]])
    assert (found.frames.tolist(), found.tracks.tolist()) == ([7], [3])


def test_a_track_may_leave_the_frame(run, tmp_path):
    """Its regions outside count, and a note says how many there are."""
    folder = write_tracks(tmp_path / "tracks")
    with (folder / "01.txt").open("a") as file:
        file.write("1,0,41,1,45,2\n1,1,3,-9,5,-2\n1,2,-5,-9,0,0\n")
    found = read_tracks(folder / "01.txt", 40, (20, 40))
    assert found.outside == 2
    table = shown(run, "localisation", [str(folder)])
    assert any(
        "43 regions of 4 tracks, 2 of them outside of the frame" in note for note in table.notes
    )
    assert float(entries(table)["other"][3]) == pytest.approx(75)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 3 1 1 2 2", "must be 6 numbers"),
        ("0,3,1,1,2", "must be 6 numbers"),
        ("0,3,1,1,2,nan", "must be 6 numbers"),
        ("0,3,1,1,2,two", "must be 6 numbers"),
        ("0,3.5,1,1,2,2", "whole numbers from 0"),
        ("-1,3,1,1,2,2", "whole numbers from 0"),
        ("0,8,1,1,2,2", "the clip has the frames 0 to 7"),
        ("0,-1,1,1,2,2", "the clip has the frames 0 to 7"),
        ("0,3,5,1,2,2", "with x1 <= x2 and y1 <= y2"),
        ("0,3,1,5,2,2", "with x1 <= x2 and y1 <= y2"),
        ("0,1,1,1,2,2", "a second region of track 0 in frame 1"),
    ],
)
def test_a_line_that_is_no_region_is_refused_with_its_place(tmp_path, line, reason):
    """File and line, and what is wrong."""
    (tmp_path / "01.txt").write_text(f"0,1,1,1,2,2\n{line}\n")
    with pytest.raises(RequestError, match=reason) as caught:
        read_tracks(tmp_path / "01.txt", 8, (20, 40))
    assert f"{tmp_path / '01.txt'}, line 2" in str(caught.value)


def test_a_folder_that_fits_no_dataset_is_refused(run, tmp_path):
    """With the clips that have no file; and a folder that is not there."""
    folder = write_tracks(tmp_path / "tracks", ["01", "03"])
    with pytest.raises(
        RequestError, match=r"a file CLIP.txt for each test clip .*\(of made, 02 missing\)"
    ):
        shown(run, "localisation", [str(folder)])
    with pytest.raises(RequestError, match="there is no folder 'nowhere'"):
        shown(run, "localisation", ["nowhere"])


def test_a_label_with_parameters_names_its_dataset(run, tmp_path):
    """Its '=' belongs to the label; where two datasets have clips of the same names, the error says
    what to write.
    """
    other = "made[models=per-scene]"
    cell = replace(run.cells()[0], dataset=other, dataset_folder="other", folder="cells/x/other/0")
    run.write_dataset(replace(run.dataset("made"), name="other"))
    run.write_cell(cell)
    run.write_scores(cell, run.scores(run.cells()[0]))
    cells = [vars(one) for one in [*run.cells(), cell]]
    run.write_manifest(replace(run.manifest, cells=cells))
    run_scores = RunScores(run, load())
    folder = write_tracks(tmp_path / "tracks")
    assert [*find_tracks([f"{other}={folder}"], run_scores)] == [other]
    assert [*find_tracks([f"made={folder}", f"{other}={folder}"], run_scores)] == ["made", other]
    with pytest.raises(RequestError, match="fits made and made.*say which: --tracks made="):
        find_tracks([str(folder)], run_scores)
    with pytest.raises(RequestError, match="two folders are given for made: leave out one"):
        find_tracks([f"made={folder}"] * 2, run_scores)


def test_tracks_without_the_size_of_frames_are_refused(tmp_path):
    """Boxes in pixels of unknown frames mean nothing."""
    made = make_run(tmp_path / "run", [done("net")])
    folder = write_tracks(tmp_path / "tracks")
    with pytest.raises(RequestError, match="does not say how large the frames of made are"):
        shown(made, "localisation", [str(folder)])


# -- operator --------------------------------------------------------------------------------------


def outcome(kinds):
    """Scores that are 1 in chosen events (by number), else 0, and a false alarm where 'false'."""

    def of(labels):
        scores = np.zeros(len(labels))
        starts = np.flatnonzero(np.diff(labels, prepend=0) == 1)
        for number, start in enumerate(starts):
            if number in kinds:
                scores[start + 2 : start + 6] = 1
        if "false" in kinds:
            scores[5] = 1
        if "always" in kinds:
            scores[:] = 1
        return scores

    return of


def test_operator_table_by_hand(tmp_path):
    """Six events; the first of each clip is found two frames late; a false alarm in each clip of 72
    normal frames, 7.2 seconds."""
    made = make_run(
        tmp_path / "run",
        [done("good", direction=outcome({0}), first=0), done("wrong", direction=outcome({0, "false"}), first=0), done("always", direction=outcome({"always"}), first=0), done("silent", direction=outcome({}), first=0),
         done("scaled", normalises_clips=True, kept=["train-scores"]), done("old"), done("reads-nothing", kept=["train-scores"]),
         ("broken", 0, "failed", "it broke", 0, {})],
        frame_rate=10.0,
    )  # fmt: skip
    for cell in made.cells():
        if cell.label in ("good", "wrong", "always", "silent"):
            made.write_train_scores(
                cell,
                {
                    "01": Scores(np.full(50, 0.5), np.arange(50)),
                    "02": Scores(np.zeros(0), np.zeros(0, int)),
                },
            )
    table = shown(made, "operator")
    events = sum(int((np.diff(labels, prepend=0) == 1).sum()) for labels in labels_of().values())
    normal = sum(int((labels == 0).sum()) for labels in labels_of().values())
    false = sum(
        int((np.diff(labels, prepend=1) == -1).sum())
        for labels in (labels.astype(int) for labels in labels_of().values())
    )
    # Four of eight frames of an event are an overlap of half; a permanent alarm reaches no half.
    half = f"{2 * 3 / (events + 3):.2f}"
    more = f"{2 * 3 / (events + 6):.2f}"
    permanent = f"{2 * 2 / (events + 3):.2f}"  # 8 of 40, and 8 of 30, but not 8 of 50
    assert entries(table) == {
        "good": [f"3 of {events}", "2", "0.2", "0.0", "0.00", "0.00", half, half, "0.00"],
        "wrong": [
            f"3 of {events}",
            "2",
            "0.2",
            f"{3 / (normal / 10 / 3600):.1f}",
            f"{3 / normal * 60:.2f}",
            f"{3 / normal * 100:.2f}",
            *(more, more, "0.00"),
        ],
        "always": [
            f"{events} of {events}",
            "0",
            "0.0",
            f"{false / (normal / 10 / 3600):.1f}",
            "60.00",
            "100.00",
            *(permanent, "0.00", "0.00"),
        ],
        "silent": [f"0 of {events}", ("-", "c"), ("-", "c"), "0.0", *["0.00"] * 5],
        "scaled": [("-", "d")] * 9,
        "old": [("-", "e")] * 9,
        "reads-nothing": [("-", "f")] * 9,
        "broken": [("failed", "g")] * 9,
        "alarm always on": [*entries(table)["always"]],
        "frame index, best threshold": [("-",)] * 6
        + [f"{2 * 3 / (events + 3):.2f}", *[f"{2 * 1 / (events + 2):.2f}"] * 2],
    }
    assert table.notes[1:] == [
        f"F1 at overlap 0.2: no row is better than the trivial frame index, best threshold (0.75): "
        f"good ({half}), wrong ({more}), always ({permanent}), silent (0.00)",
        "F1 at overlap 0.5: not better than the trivial frame index, best threshold (0.29): "
        "always (0.00), silent (0.00)",
        "F1 at overlap 0.8: no row is better than the trivial frame index, best threshold (0.29): "
        "good (0.00), wrong (0.00), always (0.00), silent (0.00)",
    ]
    texts = dict(table.footnotes)
    notes = {row.name: [cell.notes for cell in row.cells] for row in table.rows}
    assert notes["good"] == [()] * 9
    assert notes["alarm always on"][5] == ()  # its threshold promises nothing
    assert notes["wrong"][5] == notes["always"][5] == ("a",) and notes["always"][0] == ("b",)
    assert (
        texts["a"]
        == "the threshold did not hold: it promises at most 0.1 % of normal frames above it"
    )
    assert (
        texts["b"]
        == f"when {events} of these events began, an alarm went on already: they are found without a delay"
    )
    assert texts["c"] == "no event is found"
    assert "no one threshold" in texts["d"]
    assert "--keep train-scores --force 'old' makes them" in texts["e"]
    assert "reads no frames" in texts["f"]
    assert (
        "0.999 quantile of the scores of the training frames, which the method was trained on"
        in table.caption
    )
    assert f"hold {normal / 10:.0f} seconds of normal video" in table.notes[0]
    assert "events found" in to_text(table)


def test_smoothing_of_the_protocol_is_said_without_its_normalisation(tmp_path):
    """Scores of training and test clips are smoothed alike, and never scaled by clip."""
    made = make_run(tmp_path / "run", [done("net", display_name="My network")])
    made.write_train_scores(made.cells()[0], {"01": Scores(np.arange(50.0), np.arange(50))})
    table = shown(made, "operator", protocol="median17")
    assert "median over 17 frames of each clip (ends mirrored); not normalised" in table.caption
    assert "min-max" not in table.caption
    assert table.notes[-1].endswith(": My network (0.00)")
    assert (
        "Training and test scores: scores as they are; not normalised"
        in shown(made, "operator").caption
    )
    assert (
        "the frame rate of the dataset is not known"
        in dict(table.footnotes)[table.rows[0].cells[3].notes[0]]
    )
