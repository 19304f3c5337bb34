"""Published tables, `[rater, unit]`."""

import numpy as np
import pytest

NAN = np.nan


def of_digits(text):
    return np.array([[float(digit) for digit in unit] for unit in text.split()]).T


@pytest.fixture
def four_observers():
    """Krippendorff's example with missing data (Computing Krippendorff's Alpha, 2011)."""
    return np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    )


@pytest.fixture
def psychiatric():
    """Six raters put 30 patients into five categories (Fleiss 1971)."""
    return of_digits(
        "444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444 "
        "222333 144444 224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 "
        "144445 222224 111155 224444 133333 555555"
    )


@pytest.fixture
def four_judges():
    """Four judges rate six targets (Shrout & Fleiss 1979, table 2)."""
    targets = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    return np.array(targets, dtype=float).T


@pytest.fixture
def anxiety():
    """Three raters, 20 subjects (data set of the R package irr)."""
    return of_digits(
        "332 361 344 464 523 542 221 346 531 231 221 632 133 533 221 221 113 233 432 342"
    )
