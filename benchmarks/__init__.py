"""Benchmarks, one module a subject: `python -m benchmarks.NAME [--json FILE] [--quick]`.

Thread counts are fixed here, before NumPy or PyTorch are imported. A variable that is already set wins, so
`OMP_NUM_THREADS=4 python -m benchmarks.NAME` measures with four threads.
"""

import os

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

for _name in THREAD_VARIABLES:
    os.environ.setdefault(_name, "1")
