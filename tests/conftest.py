"""Settings of all tests."""

import os

from hypothesis import settings

# Threads that wait for each other are very slow beside another busy process. Read by torch and
# NumPy's linear algebra when they are loaded, and by the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A machine that is busy with something else must not fail a test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
