"""Recordings and ratings of people, which are no part of this repository.

They lie below the folder that AURALIGN_DATA names, else in `shared/data` beside the repository. A
test marked `realdata("fsdd")` reads the folder `fsdd` there and is skipped without it.
"""

import os
from pathlib import Path

import pytest

DATA = Path(os.environ.get("AURALIGN_DATA") or Path(__file__).parents[3] / "shared" / "data")
FSDD = DATA / "fsdd"
"""The Free Spoken Digit Dataset, `recordings/DIGIT_SPEAKER_TAKE.wav`."""
AES = DATA / "aes"
"""Ratings of audiobox-aesthetics."""


def skip_without(name: str) -> None:
    """Skips the test that runs where the folder `name` of the data is absent."""
    if not (DATA / name).is_dir():
        pytest.skip(f"no folder {name} below {DATA}: set AURALIGN_DATA to where the data is")
