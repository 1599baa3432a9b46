"""How busy the GPU is, asked when somebody looks; on a machine without one nothing is measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

NAME = "triptych_gpu_use_ratio"


class GpuUse(Collector):
    """The gauge: one sample where the GPU can be asked, none elsewhere."""

    def __init__(self, ask: Callable[[], float | None]) -> None:
        self._ask = ask

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The use now."""
        family = GaugeMetricFamily(NAME, "Share of the time in which the GPU was busy; absent without a GPU.")
        use = self._ask()
        if use is not None:
            family.add_metric([], use)
        yield family


def gpu_use() -> float | None:
    """Share of the last moments in which the current CUDA device was busy, from 0 to 1.

    None without CUDA, and where the driver cannot be asked: that takes the package nvidia-ml-py.
    """
    import torch  # not at the top: whoever has no model to load does not wait for it

    if not torch.cuda.is_available():
        return None
    try:
        return torch.cuda.utilization() / 100
    except (ModuleNotFoundError, RuntimeError):
        return None
