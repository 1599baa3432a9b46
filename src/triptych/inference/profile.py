"""How fast a machine is, in a file: measured there, read here, so that one searches on a strong PC for a weak one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from pydantic import Field, ValidationError

from triptych.domain import Config as BaseConfig
from triptych.domain.errors import DataError
from triptych.domain.files import write_json

FORMAT: Final = 2
KIND: Final = "triptych machine profile"


class Timing(BaseConfig):
    """Milliseconds of one thing: the median, and what 1 in 100 exceeds."""

    p50_ms: float = Field(gt=0, description="Median, milliseconds.")
    p99_ms: float = Field(gt=0, description="What 1 in 100 exceeds, milliseconds.")


class Profile(BaseConfig):
    """What a machine takes for reference networks: a window through ONNX Runtime, and a step as it is served."""

    kind: Literal["triptych machine profile"] = Field(KIND, description="What the file is.")
    format: Literal[2] = Field(FORMAT, description="Version of the file's layout.")
    threads: int = Field(ge=1, description="CPU threads that were used.")
    machine: dict[str, Any] = Field({}, description="The machine in words.")
    networks: dict[str, Timing] = Field(min_length=1, description="One window of a reference network, by name.")
    steps: dict[str, Timing] = Field(
        min_length=1, description="One step of a reference network with a memory, by name; on one thread."
    )

    def save(self, path: Path) -> Path:
        """Write the profile as JSON. Raises StorageError when the disk refuses."""
        return write_json(path, self.model_dump(mode="json"))


def read_profile(path: Path) -> Profile:
    """Read a profile. Raises DataError when the file is missing, is none or is one of another format."""
    again = "Make one on that machine: triptych profile --save FILE."
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(f"There is no file {path}.", remedy=again) from error
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is no profile of a machine: it is not JSON.", remedy=again) from error
    if not isinstance(content, Mapping) or content.get("kind") != KIND:
        raise DataError(f"{path} is no profile of a machine.", remedy=again)
    if content.get("format") != FORMAT:
        raise DataError(
            f"{path} has format {content.get('format')}, this version of Triptych reads format {FORMAT}.",
            remedy="Make the profile anew with the same version on both machines: triptych profile --save FILE.",
        )
    try:
        return Profile.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path} is damaged: {place}: {first['msg']}.", remedy=again) from error


def require_threads(profile: Profile, threads: int) -> None:
    """Raise DataError for a profile of another machine that was made with another number of CPU threads."""
    if profile.threads != threads:
        raise DataError(
            f"The profile was made with {profile.threads} CPU thread{'s' if profile.threads > 1 else ''}, and the "
            f"search measures with {threads}.",
            remedy=f"Make it anew on that machine, triptych profile --threads {threads} --save FILE, or set "
            f"tune.threads = {profile.threads}.",
        )


class Translation:
    """Latencies of this machine as those of another one: those of windows, or those of steps.

    Both machines have timed the same reference networks. The ratio of the two times changes with the size of a network:
    small ones measure the overhead of a call, large ones arithmetic and memory. So it is interpolated, on logarithms,
    by the time that a network takes here, and held constant beyond the smallest and the largest reference.
    """

    def __init__(self, here: Profile, there: Profile, timed: Literal["window", "step"] = "window") -> None:
        """Raises DataError when the two profiles share no reference network."""
        ours, theirs = (one.networks if timed == "window" else one.steps for one in (here, there))
        self.common = sorted(set(ours) & set(theirs), key=lambda name: ours[name].p50_ms)
        if not self.common:
            raise DataError(
                "The profile was measured with other reference networks than those of this version.",
                remedy="Make it anew with the same version on both machines: triptych profile --save FILE.",
            )
        self._here, self._there = ours, theirs

    def milliseconds(self, local_ms: float, quantile: Literal["p50", "p99"] = "p50") -> float:
        """What takes `local_ms` here, there. The ratio of p99 is never taken below that of the median."""
        ratio = self._ratio(local_ms, "p50")
        if quantile == "p99":
            ratio = max(ratio, self._ratio(local_ms, "p99"))
        return local_ms * ratio

    def _ratio(self, local_ms: float, quantile: str) -> float:
        field = f"{quantile}_ms"
        ours = np.log([getattr(self._here[name], field) for name in self.common])
        theirs = np.log([getattr(self._there[name], field) for name in self.common])
        order = np.argsort(ours, kind="stable")
        return float(np.exp(np.interp(np.log(local_ms), ours[order], (theirs - ours)[order])))
