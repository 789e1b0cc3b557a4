"""The queue of cells: who is next, and who is looked at again."""

from types import SimpleNamespace

import pytest

from bench.running import cell_queue
from bench.running.cell_queue import CellQueue


class Cell(SimpleNamespace):
    __hash__ = object.__hash__


PED2, AVENUE = SimpleNamespace(name="ped2"), SimpleNamespace(name="avenue")


def cell(folder, dataset=PED2):
    return Cell(dataset=dataset, record=SimpleNamespace(folder=folder))


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test moves."""
    now = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(cell_queue.time, "monotonic", lambda: now.seconds)
    return now


def test_a_cell_waits_for_its_dataset_alone():
    """Datasets come in order; a cell overtakes those whose dataset is not done."""
    first, second, third = cell("a", PED2), cell("b", AVENUE), cell("c", AVENUE)
    queue = CellQueue([first, second, third], [PED2, AVENUE])
    assert queue.next_cell() is None
    assert [queue.next_dataset(), queue.next_dataset(), queue.next_dataset()] == [
        PED2,
        AVENUE,
        None,
    ]
    assert queue.next_cell() is None
    queue.dataset_done(AVENUE)
    assert [queue.next_cell(), queue.next_cell(), queue.next_cell()] == [second, third, None]
    assert queue.cells == [first] and not queue.is_empty
    queue.dataset_done(PED2)
    assert queue.next_cell() is first
    assert queue.is_empty


def test_a_cell_of_a_dataset_that_cannot_be_prepared_is_next_and_says_why():
    """Other datasets are not touched by it."""
    first, second = cell("a", PED2), cell("b", AVENUE)
    queue = CellQueue([first, second], [PED2, AVENUE])
    queue.dataset_done(PED2, "a frame is missing")
    queue.dataset_done(AVENUE)
    assert queue.next_cell() is first
    assert queue.problem_of(first) == "a frame is missing"
    assert queue.problem_of(second) == ""


def test_cells_whose_workers_prepare_their_datasets_are_next_at_once():
    """As on other machines."""
    first = cell("a")
    queue = CellQueue([first])
    assert queue.next_cell() is first


def test_a_cell_that_is_elsewhere_is_looked_at_again_and_goes_behind_the_others(clock):
    """A second later, once."""
    first, second = cell("a"), cell("b")
    queue = CellQueue([first, second])
    queue.put_aside(queue.next_cell())
    assert queue.cells == [second] and queue.due() == []
    clock.seconds += 1
    assert queue.due() == [first] and queue.due() == []
    queue.put_back(first)
    assert [queue.next_cell(), queue.next_cell()] == [second, first]


def test_a_cell_that_is_elsewhere_keeps_the_queue_from_being_empty(clock):
    """Until it was looked at."""
    queue = CellQueue([])
    assert queue.is_empty
    queue.put_aside(cell("a"))
    assert not queue.is_empty


def test_a_cell_whose_attempts_are_taken_is_looked_at_after_twice_the_time_each(clock):
    """1, 2 and 4 seconds; another cell is not touched by it."""
    taken, other = cell("a"), cell("b")
    queue = CellQueue([])
    for number, seconds in enumerate((1, 2, 4), start=1):
        queue.attempt_was_taken(taken)
        assert queue.taken(taken) == number
        clock.seconds += seconds - 0.5
        assert queue.due() == []
        clock.seconds += 0.5
        assert queue.due() == [taken]
    assert queue.taken(other) == 0
