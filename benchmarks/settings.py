"""The settings of a run of the benchmarks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """quick: fewer and smaller workloads, without torch.compile. rounds: turns of each contestant."""

    quick: bool = False
    rounds: int = 5
    device: str = "cpu"
