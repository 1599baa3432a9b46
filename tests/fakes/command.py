"""A `triptych` command in a process of its own."""

import os
import signal
import subprocess
import sys
import threading

PROGRAM = "from triptych.cli import main; main()"


class Command:
    """A `triptych` command in a process of its own; everything it says is kept."""

    def __init__(self, *arguments, **environment):
        self.said = []
        self._changed = threading.Condition()
        mine = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env={**mine, **environment},
        )  # fmt: skip
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self):
        with self.process.stdout as lines:
            for line in lines:
                with self._changed:
                    self.said.append(line)
                    self._changed.notify_all()

    def after(self, word, within_s=200):
        """The rest of the first line that begins with `word`."""

        def found():
            return next((line for line in self.said if line.startswith(word)), None)

        with self._changed:
            assert self._changed.wait_for(found, within_s), "".join(self.said)
        return found().removeprefix(word).strip()

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(90)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._thread.join(10)
