"""What a run of the benchmarks is asked for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """quick: less and smaller work, nothing that is compiled. rounds: turns of each contestant."""

    quick: bool = False
    rounds: int = 5
    device: str = "cpu"
