import logging
import warnings

from triptych.inference.quiet_export import quiet_export


def test_the_exporter_is_silent_inside_and_as_it_was_afterwards(caplog):
    talker = logging.getLogger("onnxscript.optimizer._constant_folding")
    before = logging.getLogger("onnxscript").level
    with quiet_export():
        talker.warning("Skipping constant folding for op Split with multiple outputs.")
        talker.error("a graph that cannot be made")
        warnings.warn("its own internals", stacklevel=1)
    assert [record.getMessage() for record in caplog.records] == ["a graph that cannot be made"]
    assert logging.getLogger("onnxscript").level == before
