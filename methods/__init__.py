"""The methods of the comparison, registered through the same hooks as anyone else's."""

from bench import Creator, Method, hookimpl

from .c3dsu import DistinctionC3DSU, DistinctionUNet, PlainC3DSU, PlainUNet, StaticC3DSU, StaticUNet
from .pseudo_anomalies.objects import Objects


@hookimpl
def bench_methods() -> list[type[Method]]:
    """Offer the methods that come with bench."""
    return [DistinctionC3DSU, StaticC3DSU, PlainC3DSU, DistinctionUNet, StaticUNet, PlainUNet]


@hookimpl
def bench_pseudo_anomalies() -> list[type[Creator]]:
    """Offer the creators that come with bench."""
    return [Objects]
