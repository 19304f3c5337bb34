import subprocess
import sys

import pytest

import auralign.signals as room


@pytest.mark.parametrize("name", sorted(room._PUBLIC))
def test_every_public_name_leads_to_what_is_called_so(name):
    assert getattr(room, name).__name__ == name
    assert name in dir(room)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Signl'"):
        room.Signl  # noqa: B018


def test_importing_the_room_waits_for_nothing():
    code = "import sys, auralign.signals; print({'numpy', 'torch', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
