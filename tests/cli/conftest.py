"""`run_command` is `triptych` under a name that does not hide the package."""

import pytest


@pytest.fixture
def run_command(triptych):
    """Run a command of `triptych` through its entry point, in this process."""
    return triptych
