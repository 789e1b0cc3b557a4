"""Published numbers: the data file, and which of several printed values stands for a method."""

import re

import pytest

from bench import MethodInfo, PublishedAUC
from bench.evaluation.published_numbers import (
    bibliography,
    dataset_in_papers,
    number_of,
    published_numbers,
    published_of,
)
from bench.plugins.registry import load


def test_every_line_is_complete():
    """Each line has its source and its confidence; a number is a percentage, or n/a."""
    for number in published_numbers():
        assert number.key and number.dataset and number.quoted_in and number.source, number
        assert number.confidence in ("high", "medium", "low"), number
        assert number.auc == "n/a" or 50 < float(number.auc) < 100, number


def test_lines_tell_nothing_of_a_machine():
    """Sources are papers, pages and repositories."""
    for number in published_numbers():
        assert not re.search(r"file id|stored|/(home|root|work|tmp)/", str(number)), number


@pytest.mark.parametrize(
    "key, dataset, auc",
    [
        ("c3dsu", "ped2", "98.46"),  # first-hand
        ("mnad", "ped2", "90.2"),  # reconstruction, not the 97.0 of prediction
        ("ae-conv3d", "avenue", "77.1"),  # 71.1 is low: a conflict
        ("ae-conv2d", "ped2", "90.0"),  # the most digits of equal confidence
        ("srnn", "shanghaitech", "68.00"),
        ("lntra-skip", "shanghaitech", "75.97"),
        ("c2net", "ped2", "98"),  # no more digits than were read
        ("st-ae", "ped2", "87.4"),
        ("ae-3d", "ped2", "91.7"),  # MemAE's own baseline
        ("lntra-baseline", "ped2", "92.49"),  # with tanh, and another score: not ae-3d
    ],
)
def test_the_number_of_a_method(key, dataset, auc):
    """The highest confidence, then the most digits; never a conflict."""
    number = number_of(key, dataset)
    assert number is not None and number.auc == auc


@pytest.mark.parametrize(
    "key", ["lntra-skip", "lntra-patch", "lntra-baseline", "steal", "pseudobound"]
)
def test_the_best_test_epoch_is_marked(key):
    """What the authors say in their issues stands beside each of their numbers, and of nobody who
    is not known to do so."""
    for dataset in ("ped2", "avenue", "shanghaitech"):
        number = number_of(key, dataset)
        assert any(mark.startswith("best test epoch") for mark in number.marks())
        (said,) = [one for one in published_of(key, MethodInfo()) if one.dataset == dataset]
        assert said.source.endswith(number.selection)
    assert number_of("mnad", "ped2").marks() == number_of("c3dsu", "ped2").marks() == []


def test_what_does_not_count():
    """A '-' in the source, means over clips, and reruns are nobody's published number."""
    assert number_of("c2net", "shanghaitech") is None
    assert number_of("hf2vad", "avenue").auc == "91.1"  # its 93.5 is a mean over clips
    assert all(
        number_of(number.key, number.dataset).protocol[:5] != "macro"
        for number in published_numbers()
        if number.key == "ssmtl"
    )
    assert not any(name.endswith("-reimpl") for name in load().methods)


def test_a_second_hand_number_says_so():
    """Medium is a quotation; high stands plainly."""
    assert (
        number_of("pseudobound", "ped2").said()
        == "as quoted by DDL (Lappas et al., CVPRW 2024), Table 1"
    )
    assert number_of("steal", "ped2").said().startswith("README of STEAL Net (authors)")


def test_a_method_may_bring_its_own():
    """What a plugin says of itself comes before the file."""
    own = (PublishedAUC("ped2", "12.3", "paper"),)
    assert published_of("c3dsu", MethodInfo(published=own)) == own
    assert published_of("nobody", MethodInfo()) == ()


def test_every_citation_has_an_entry():
    """Each key of the file is in published.bib, or is that of a method that is here."""
    own = {cls.info.citation for cls in load().methods.values()}
    keys = {
        key
        for number in published_numbers()
        for key in (number.citation, number.quoted_citation)
        if key
    }
    assert keys - own == set(bibliography(keys - own))
    assert all(f"{{{key}," in entry for key, entry in bibliography(keys).items())


def test_no_paper_prints_a_number_of_training_on_another_dataset():
    """The number of the dataset itself would stand beside a row that never saw its training
    clips."""
    assert number_of("c3dsu", "ped2").auc == "98.46"
    assert number_of("c3dsu", "ped2[train_on=avenue]") is None
    assert dataset_in_papers("shanghaitech[models=per-scene]") == "shanghaitech"
    assert dataset_in_papers("ped2[path=x,train_on=avenue]") == ""
