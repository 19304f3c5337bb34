import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "align_your_own_model.py"


def test_the_example_aligns_its_model_and_says_so(capsys):
    before, after = runpy.run_path(str(EXAMPLE))["main"]()
    assert after > before + 0.1
    assert f"{before:.2f} before, {after:.2f} after" in capsys.readouterr().out


def test_the_guide_shows_at_most_thirty_lines_of_it():
    text = EXAMPLE.read_text()
    shown = text.split("# guide: begin\n")[1].split("# guide: end")[0].strip().splitlines()
    assert len(shown) <= 30
