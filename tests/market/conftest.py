from pathlib import Path

import pytest

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real candles beside the repository."""
    if not DATA.is_dir():
        pytest.skip("the real candles (../shared/data) are not on this machine")
    return DATA
