"""EZKL's answers from forks of one process that has loaded it: its start is most of a short call.

For tests of what EZKL answers. Those of how it is called start every worker anew, as users do.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zkprep.backends import process
from zkprep.backends.base import Terms
from zkprep.backends.process import Outcome

RunWorker = Callable[[str, Mapping[str, Any], Terms], Outcome]


class Server:
    """A process that has loaded EZKL and answers each call in a fork of itself, one by one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def run(self, verb: str, arguments: Mapping[str, Any], terms: Terms) -> Outcome:
        """As zkprep.backends.process.run_worker, but for the peak, which nobody watches."""
        with tempfile.TemporaryDirectory(prefix="zkprep-forked-") as name:
            folder = Path(name)
            request = {
                "folder": name,
                "call": {"verb": verb, "arguments": dict(arguments)},
                "environment": process._environment(folder, terms.threads),
                "seconds": int(terms.seconds or 0),
            }
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return Outcome(process._read_reply(folder), process._read_log(folder), code, 0)

    def stop(self) -> None:
        self._process.communicate()


@contextmanager
def servers() -> Iterator[RunWorker]:
    """What runs calls on a server per calling thread."""
    own, all_of_them = threading.local(), []

    def run(verb: str, arguments: Mapping[str, Any], terms: Terms) -> Outcome:
        if not hasattr(own, "server"):
            own.server = Server()
            all_of_them.append(own.server)
        answer: Outcome = own.server.run(verb, arguments, terms)
        return answer

    try:
        yield run
    finally:
        for server in all_of_them:
            server.stop()


def serve() -> None:
    """Fork for every request on stdin; its exit code goes to stdout."""
    from zkprep.backends import worker

    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if not child:
            os.setsid()
            signal.alarm(request["seconds"])
            folder = Path(request["folder"])
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
            for stream in (sys.stdout, sys.stderr):
                os.dup2(log, stream.fileno())
            os.environ.clear()
            os.environ.update(request["environment"])
            worker.answer(request["call"], folder)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
