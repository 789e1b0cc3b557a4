"""What any method, creator and dataset owes, as checks: for `bench check`, and for the tests of
plugin authors.

    from bench.testing import parametrize_with_checks

    @parametrize_with_checks([MyMethod])
    def test_my_method(method, check):
        check(method)

The checks run on two training clips of 48 and two test clips of 40 frames, made in memory, in
profile `smoke`, on the CPU. A method is fitted once for all of them, and once more to see that the
same seed gives the same scores.
"""

from bench.testing.creator_checks import draws_what_it_promises as draws_what_it_promises
from bench.testing.dataset_checks import DATASET_CHECKS as DATASET_CHECKS
from bench.testing.made import CheckFailed as CheckFailed
from bench.testing.made import NotAsked as NotAsked
from bench.testing.made import make_clip as make_clip
from bench.testing.made import make_context as make_context
from bench.testing.method_checks import CHECKS as CHECKS
from bench.testing.method_checks import STATIC as STATIC
from bench.testing.method_checks import parametrize_with_checks as parametrize_with_checks
from bench.testing.method_checks import run_check as run_check
