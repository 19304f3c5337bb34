"""What a test of a hypothesis says, and what a family of them says together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from auralign.errors import ConfigError
from auralign.types import Estimate

Alternative = Literal["two-sided", "greater", "less"]


@dataclass(frozen=True, slots=True)
class HypothesisTest:
    """One test: `n` observations, and where there is one an effect with its interval."""

    method: str
    statistic: float
    p_value: float
    n: int
    alternative: Alternative = "two-sided"
    effect: Estimate | None = None


@dataclass(frozen=True, slots=True)
class AdjustedTest:
    """A test of a family; `p_adjusted` accounts for the others."""

    name: str
    test: HypothesisTest
    p_adjusted: float


@dataclass(frozen=True, slots=True)
class FamilyOfTests:
    """Tests that were looked at together: `family` says which question they answer."""

    family: str
    adjustment: str
    tests: tuple[AdjustedTest, ...]

    def rejected(self, alpha: float = 0.05) -> tuple[str, ...]:
        """Names of the tests with an adjusted p-value of at most `alpha`."""
        return tuple(t.name for t in self.tests if t.p_adjusted <= alpha)


def check_alternative(alternative: str) -> None:
    """Raise `ConfigError` for an unknown alternative hypothesis."""
    if alternative not in ("two-sided", "greater", "less"):
        raise ConfigError(
            f"alternative must be 'two-sided', 'greater' or 'less', got '{alternative}'"
        )
