import runpy
from pathlib import Path

import numpy as np
import pytest

from auralign.types import Prompt
from pretended_device import require_same_elsewhere

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "align_your_own_model.py"


def test_the_example_aligns_its_model_and_says_so(capsys):
    before, after = runpy.run_path(str(EXAMPLE))["main"]()
    assert after > before + 0.1
    assert f"{before:.2f} before, {after:.2f} after" in capsys.readouterr().out


def test_the_guide_shows_at_most_thirty_lines_of_it():
    text = EXAMPLE.read_text()
    shown = text.split("# guide: begin\n")[1].split("# guide: end")[0].strip().splitlines()
    assert len(shown) <= 30


def test_its_policy_scores_and_samples_on_another_device():
    make = runpy.run_path(str(EXAMPLE))["make_policy"]
    prompts = [Prompt("p0", "0"), Prompt("p1", "1")]
    require_same_elsewhere(make, prompts, [np.zeros((1, 2), dtype=np.int64), np.ones((1, 4), int)])
