from __future__ import annotations

from types import SimpleNamespace

import pytest

from triptych.models.xlstm._compiling import Notice


def event_of(module: str) -> SimpleNamespace:
    return SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=SimpleNamespace(__module__=module))})


def test_compiling_is_told_once_and_only_for_loops_of_the_xlstm(caplog: pytest.LogCaptureFixture) -> None:
    notice = Notice()
    notice.on_start(event_of("somebody.else"))
    assert caplog.messages == []
    for module in ("triptych.models.xlstm._tiles", "triptych.models.xlstm._step_kernels"):
        notice.on_start(event_of(module))
        notice.on_end(event_of(module))
    assert caplog.messages == [
        "Compiling the loops of the xLSTM for this processor: half a minute, once; later processes find them on disk."
    ]
