"""`bench.score`: a protocol on plain arrays, against known answers and scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pandas
import pytest
from known_answers import COLUMNS, FIRST, FRAMES, KNOWN, MACRO_CLIPS, real_clips
from scipy.signal import medfilt
from sklearn.metrics import average_precision_score, roc_auc_score

import bench
from bench import Protocol, RequestError, Scores


@pytest.mark.realdata
@pytest.mark.parametrize("case", KNOWN, ids="/".join)
def test_known_answers(real_data, case):
    """Real score files, as they are read with numpy, give the numbers of the design to four
    digits."""
    source, dataset, label_set, metric = case
    labels = {clip.id: clip.labels for clip in real_clips(real_data, source, dataset, label_set)}
    first = FIRST[source]
    with np.load(real_data / "scores" / source / f"{dataset}.npz") as scores:
        for text, expected in zip(COLUMNS, KNOWN[case]):
            if expected is not None:
                found = bench.score(scores, labels, text, metric, frames=first)
                assert round(found, 4) == expected, text
        if case in MACRO_CLIPS:
            found = bench.score(scores, labels, "macro17", frames=first)
            assert found.clips == MACRO_CLIPS[case] and found.clips + found.clips_left_out == len(
                labels
            )
    if case in FRAMES:
        found = bench.score(
            list(map(scores_of(real_data, source, dataset), labels)),
            list(labels.values()),
            frames=first,
        )
        assert (found.frames, found.anomalous_frames) == FRAMES[case]


def scores_of(real_data, source, dataset):
    file = dict(np.load(real_data / "scores" / source / f"{dataset}.npz"))
    return file.__getitem__


def made(seed=0):
    generator = np.random.default_rng(seed)
    labels = {
        clip: (np.arange(length) // 15 % 2).astype(int)
        for clip, length in (("b", 70), ("a", 45), ("c", 90))
    }
    return {
        clip: truth * 0.7 + generator.random(len(truth)) for clip, truth in labels.items()
    }, labels


def test_equals_scikit_learn():
    """Median of 17 with zeros beyond the ends, min-max, pooled: by scipy's medfilt and
    scikit-learn; AUC and AP."""
    scores, labels = made()
    smoothed = [medfilt(values, 17) for values in scores.values()]
    pooled = np.concatenate(
        [(values - values.min()) / (values.max() - values.min()) for values in smoothed]
    )
    truth = np.concatenate(list(labels.values()))
    assert float(bench.score(scores, labels, "median17[edge=zero]")) == pytest.approx(
        roc_auc_score(truth, pooled), abs=1e-12
    )
    assert bench.score(scores, labels, "median17[edge=zero]", "ap") == pytest.approx(
        average_precision_score(truth, pooled), abs=1e-12
    )
    own = Protocol("mine", smooth="median", edge="zero", normalise="clip")
    assert bench.score(scores, labels, own) == bench.score(scores, labels, "median17[edge=zero]")


def test_frames_in_every_form_are_the_same_frames():
    """A first frame, one a clip, indices, or Scores that know theirs: the same number as
    scikit-learn on these frames."""
    scores, labels = made()
    cut = {clip: values[4:-3] for clip, values in scores.items()}
    indices = {clip: 4 + np.arange(len(values)) for clip, values in cut.items()}
    expected = roc_auc_score(
        np.concatenate([truth[4:-3] for truth in labels.values()]),
        np.concatenate(list(cut.values())),
    )
    for frames in (4, np.int64(4), dict.fromkeys(cut, 4), indices):
        assert bench.score(cut, labels, "raw", frames=frames) == pytest.approx(expected, abs=1e-12)
    assert bench.score(
        list(cut.values()), list(labels.values()), "raw", frames=[4, 4, 4]
    ) == pytest.approx(expected, abs=1e-12)
    known = {clip: Scores(values, indices[clip]) for clip, values in cut.items()}
    assert bench.score(known, labels, "raw") == pytest.approx(expected, abs=1e-12)


def test_scenes_are_pooled_apart():
    """scene-mean is the mean of scikit-learn's AUC of each scene."""
    scores, labels = made()
    alone = roc_auc_score(labels["a"], scores["a"])
    both = roc_auc_score(
        np.concatenate([labels["b"], labels["c"]]), np.concatenate([scores["b"], scores["c"]])
    )
    found = bench.score(
        scores, labels, "raw[pool=scene-mean]", scenes={"a": "1", "b": "2", "c": "2"}
    )
    assert found == pytest.approx((alone + both) / 2, abs=1e-12)


def test_is_a_float_that_knows_what_went_in():
    """Formats, rounds and computes as a float; where there is no number it is NaN, with the reason;
    pickles."""
    scores, labels = made()
    found = bench.score({**scores, "d": []}, {**labels, "d": np.zeros(20)}, "minmax")
    assert (
        f"{found:.1%}".endswith("%")
        and found + 1 > 1
        and np.mean([found, found]) == found == found.value
    )
    assert (found.frames, found.clips, found.clips_left_out, found.chance, found.reason) == (
        205,
        3,
        1,
        0.5,
        "",
    )
    assert (
        repr(found)
        == f"<auc {found.value:.4f} (minmax; 205 frames, 90 anomalous, of 3 clips, 1 left out)>"
    )
    nothing = bench.score({"a": np.arange(9.0)}, {"a": np.zeros(9)})
    assert (
        np.isnan(nothing)
        and nothing.value is None
        and "every scored frame is normal" in nothing.reason
    )
    assert "no auc: every scored frame is normal" in repr(nothing)
    assert vars(pickle.loads(pickle.dumps(found))) == vars(found)


WRONG = {
    "172 scores, 180 labels; say with frames=": ({"01": np.zeros(172)}, {"01": np.zeros(180)}, {}),
    "clip 01: 172 scores from frame 9 on do not fit into 180 labels": (
        {"01": np.zeros(172)},
        {"01": np.zeros(180)},
        {"frames": 9},
    ),
    "clip 01: 3 scores, and frames of the shape (2,)": (
        {"01": np.zeros(3)},
        {"01": np.zeros(9)},
        {"frames": {"01": [1, 2]}},
    ),
    "ascending and below 9": (
        {"01": np.zeros(3)},
        {"01": np.zeros(9)},
        {"frames": {"01": [7, 8, 9]}},
    ),
    "clip 01: scores have the shape (3, 1)": ({"01": np.zeros((3, 1))}, {"01": np.zeros(3)}, {}),
    "clip 01: labels must be 0 or 1, here are 0.0, 255.0": (
        {"01": np.zeros(2)},
        {"01": np.array([0, 255.0])},
        {},
    ),
    "clip 01: 1 of 2 scores are NaN or infinite": ({"01": [0.0, np.nan]}, {"01": [0, 1]}, {}),
    "labels lack clip 02, which the scores have": ({"01": [0, 1], "02": [0]}, {"01": [0, 1]}, {}),
    "labels have clips 02, 03, which the scores lack": (
        {"01": [0, 1]},
        {"01": [0, 1], "02": [0], "03": [0]},
        {},
    ),
    "scores: expected one array a clip": (np.zeros(9), [np.zeros(9)], {}),
    "labels: expected one array a clip": ({"01": [0, 1]}, {"01": 1}, {}),
    "10 scores and only 8 labels": ({"01": np.zeros(10)}, {"01": np.zeros(8)}, {}),
    "frames=8 if of the last frames of a clip, frames=0 if of the first ones": (
        {"01": np.zeros(172)},
        {"01": np.zeros(180)},
        {},
    ),
    "no protocol 'medin17' - did you mean 'median17'?": (
        {"01": [0, 1]},
        {"01": [0, 1]},
        {"protocol": "medin17"},
    ),
    "no metric 'auk' - did you mean 'auc'? (there are auc, ap, eer": (
        {"01": [0, 1]},
        {"01": [0, 1]},
        {"metric": "auk"},
    ),
    "a metric is chosen by its name, not by None (there are auc, ap, eer": (
        {"01": [0, 1]},
        {"01": [0, 1]},
        {"metric": None},
    ),
    "a metric is chosen by its name, not by ['auc']": (
        {"01": [0, 1]},
        {"01": [0, 1]},
        {"metric": ["auc"]},
    ),
    "no protocol 'None'": ({"01": [0, 1]}, {"01": [0, 1]}, {"protocol": None}),
    "scores: two keys stand for clip '1'; ids are compared as texts": (
        {1: [0, 1], "1": [1, 0]},
        {"1": [0, 1]},
        {},
    ),
    "labels: two keys stand for clip '1'": ({"1": [0, 1]}, {np.int64(1): [0, 1], "1": [0, 1]}, {}),
    "frames: two keys stand for clip '1'": ({"1": [0]}, {"1": [0, 1]}, {"frames": {1: 0, "1": 1}}),
    "scenes: two keys stand for clip '1'": (
        {"1": [0, 1]},
        {"1": [0, 1]},
        {"scenes": {1: "a", "1": "b"}},
    ),
    "scores: None is no id of a clip": ({None: [0, 1]}, {"01": [0, 1]}, {}),
    "scores: b'1' is no id of a clip": ({b"1": [0, 1]}, {"01": [0, 1]}, {}),
    "scores: 1.0 is no id of a clip": ({1.0: [0, 1]}, {"1": [0, 1]}, {}),
    "clip 01: scores are masked in 1 of 3 places; leave these frames out: x.compressed(), with frames=": (
        {"01": np.ma.array([1.0, 2.0, 9.0], mask=[0, 0, 1])},
        {"01": [0, 1, 0]},
        {},
    ),
    "clip 01: labels are masked in 1 of 2 places; each frame of a clip must": (
        {"01": [0, 1]},
        {"01": np.ma.array([0, 1], mask=[1, 0])},
        {},
    ),
    "clip 01: labels are text ('normal', 'abnormal'), expected 0 for normal": (
        {"01": [0, 1]},
        {"01": ["normal", "abnormal"]},
        {},
    ),
    "clip 01: labels are text ('0', '1'), expected 0 for normal": (
        {"01": [0, 1]},
        {"01": np.array(["0", "1"])},
        {},
    ),
    "clip 01: labels are text (b'0', b'1')": ({"01": [0, 1]}, {"01": np.array([b"0", b"1"])}, {}),
    "clip 01: labels must be 0 or 1, here are 0.0, nan": ({"01": [0, 1]}, {"01": [0, np.nan]}, {}),
    "clip 01: scores are text ('0.5', '1'), expected numbers": (
        {"01": ["0.5", "1"]},
        {"01": [0, 1]},
        {},
    ),
    "clip 01: scores are objects (0.5, None), expected numbers": (
        {"01": [0.5, None]},
        {"01": [0, 1]},
        {},
    ),
    "clip 01: scores are complex numbers (1j, (2+0j)), expected numbers": (
        {"01": np.array([1j, 2])},
        {"01": [0, 1]},
        {},
    ),
    "clip 01: scores are dates": (
        {"01": np.array(["2020-01-01", "2020-01-02"], "datetime64[D]")},
        {"01": [0, 1]},
        {},
    ),
    "clip 01: scores cannot be read as numbers: ": ({"01": [[1], [1, 2]]}, {"01": [0, 1]}, {}),
    "scores: expected one array a clip, as": ({"01", "02"}, {"01": [0, 1], "02": [0, 1]}, {}),
    "frames: True says nothing of each clip; expected a dict by clip id, a list, or a whole number": (
        [[1]],
        [[0, 1]],
        {"frames": True},
    ),
    "frames: 8.0 says nothing of each clip": ([[1]], [[0, 1]], {"frames": 8.0}),
    "scenes: 'one' says nothing of each clip; expected a dict by clip id, a list": (
        [[0, 1]],
        [[0, 1]],
        {"scenes": "one"},
    ),
    "clip 0: frames are text ('1')": ([[1]], [[0, 1]], {"frames": [["1"]]}),
    "ascending and below 4": (
        [[3, 2, 1]],
        [[0, 1, 0, 1]],
        {"frames": [np.array([2, 1, 0], np.uint8)]},
    ),
    "here is one row": ({"01": [0, 1]}, {"01": [0, 1]}, {"protocol": "raw[frames=common]"}),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_does_not_fit_is_refused(text):
    """With the clip's name, both lengths, and what to do."""
    scores, labels, more = WRONG[text]
    with pytest.raises(RequestError) as error:
        bench.score(scores, labels, **more)
    assert text in str(error.value)


def test_what_torch_gives():
    """A tensor is an array; one with a gradient, or of a type that NumPy lacks, is refused with
    what to give."""
    torch = pytest.importorskip("torch")
    scores, labels = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0, 0, 1])
    assert (
        bench.score([scores], [labels], "raw")
        == bench.score({"a": scores}, {"a": labels > 0}, "raw")
        == 1
    )
    for wrong in (scores.clone().requires_grad_(), scores.bfloat16(), scores.to("meta")):
        with pytest.raises(
            RequestError,
            match=r"clip 0: scores cannot be read as numbers: .*give tensor.detach\(\).cpu\(\).float\(\).numpy",
        ):
            bench.score([wrong], [labels])
    with pytest.raises(RequestError, match=r"clip 0: scores cannot be read as numbers: "):
        bench.score([list(scores.clone().requires_grad_())], [labels])


def test_what_numpy_and_pandas_give():
    """A mask without a masked place, booleans, small types, a Series of arrays by its index: read
    as what they are."""
    scores, labels = np.array([0.0, 2.0, 1.0, 3.0]), np.array([0, 0, 1, 1])
    expected = bench.score([scores], [labels], "raw")
    for same in (
        np.ma.array(scores),
        pandas.Series(scores, index=[3, 2, 1, 0]),
        scores.astype(np.float16),
        scores.astype(np.uint8),
        list(scores),
    ):
        assert bench.score([same], [pandas.Series(labels)], "raw") == expected
    assert bench.score([scores > 1], [labels > 0], "raw") == roc_auc_score(labels, scores > 1)
    turned = pandas.Series({"b": labels, "a": 1 - labels})
    assert bench.score(pandas.Series({"a": 3 - scores, "b": scores}), turned, "raw") == expected
    assert bench.score(pandas.DataFrame({"a": scores}), {"a": labels}, "raw") == expected
    assert (
        bench.score({1: scores}, {"1": labels}, "raw")
        == bench.score({np.int8(1): scores}, {1: labels}, "raw")
        == expected
    )
    nothing = bench.score(
        {"a": np.zeros(0, dtype=object), "b": scores}, {"a": labels, "b": labels}, "raw"
    )
    assert nothing == expected and nothing.clips_left_out == 1


def test_scores_that_are_upside_down_say_so():
    """Where two of three pairs are in the wrong order, and the negative scores put two of three
    right; under the same protocol."""
    labels = {"a": np.arange(60) >= 40, "b": np.arange(50) < 20}
    scores = {
        clip: array + np.random.default_rng(0).random(len(array)) for clip, array in labels.items()
    }
    good, bad = (
        bench.score(scores, labels),
        bench.score({clip: -array for clip, array in scores.items()}, labels),
    )
    assert good.note == "" and bad == pytest.approx(1 - good)
    assert (
        bad.note == f"probably upside down: normal frames score higher, and -scores have {good:.4f}"
    )
    assert repr(bad).endswith(f"of 2 clips); {bad.note}>") and vars(
        pickle.loads(pickle.dumps(bad))
    ) == vars(bad)
    assert (
        bench.score({clip: -array for clip, array in scores.items()}, labels, metric="eer").note
        == ""
    )
    third = {
        "a": np.array([1, 0]),
        "b": np.array([0, 1]),
        "c": np.array([1, 0]),
    }  # two of three clips wrong
    notes = [
        bench.score([np.array(order)], [np.array([0, 0, 0, 1])], "raw").note
        for order in ([1, 2, 0, 1.5], [1, 2, 3, 1.5], [2, 2, 3, 1])
    ]
    assert [bool(note) for note in notes] == [False, True, True]
    assert (
        bench.score(
            third, dict.fromkeys(third, np.array([0, 1])), "macro17-padded[normalise=clip,window=1]"
        ).note
        == ""
    )


def test_mistakes_come_at_once():
    """Of protocol, metric and each clip."""
    with pytest.raises(RequestError) as error:
        bench.score({"01": [0, 1], "02": [0, 1]}, {"01": [0], "02": [0, 1, 1]}, "medin17", "auk")
    assert [mistake.split(" ")[1] for mistake in error.value.mistakes] == [
        "protocol",
        "metric",
        "01:",
        "02:",
    ]


def test_imports_no_torch():
    """Scoring arrays needs numpy and scipy."""
    code = "import sys, bench; assert bench.score([[0, 1, 2]], [[0, 0, 1]], 'raw') == 1; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
