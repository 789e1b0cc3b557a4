"""The datasets, registered through the same hooks as anyone else's."""

from __future__ import annotations

from bench import Dataset, hookimpl

from .avenue import Avenue
from .demo.datasets import DemoAvenue, DemoPed2, DemoShanghaiTech
from .folder import Folder
from .shanghaitech import ShanghaiTech
from .ucsd import Ped1, Ped2


@hookimpl
def bench_datasets() -> list[type[Dataset]]:
    """Offer the four published datasets, a folder of one's own, and three that are rendered for
    trying things out.
    """
    return [Ped2, Avenue, ShanghaiTech, Ped1, Folder, DemoPed2, DemoAvenue, DemoShanghaiTech]
