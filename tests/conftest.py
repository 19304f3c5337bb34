"""Settings of all tests."""

import os

import pytest
from hypothesis import settings

from real_data import skip_without

# Threads that wait for each other are very slow beside another busy process. Read by torch and
# NumPy's linear algebra when they are loaded, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A machine that is busy with something else must not fail a test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before the fixtures, some of which read the data."""
    for mark in item.iter_markers("realdata"):
        skip_without(*mark.args)
