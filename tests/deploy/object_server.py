"""A server of S3 on this machine, by moto; ``python object_server.py PORT``."""

import sys
import threading
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from werkzeug.serving import run_simple

_moto: Any = import_module("moto.server")  # which is there by an extra alone
_served = _moto.DomainDispatcherApplication(_moto.create_backend_app)
_one_at_a_time = threading.Lock()  # or a condition and the write that it is of are two steps, which S3 knows not


def serve(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
    """Answer a request."""
    with _one_at_a_time:
        answer: Iterable[bytes] = _served(environ, start)
        return answer


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), serve, threaded=True)
