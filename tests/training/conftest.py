import pytest
import torch


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    """The networks of these tests are too small to share among threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
