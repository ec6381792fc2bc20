"""What the tests that start servers share: a port for one, and its end."""

import socket
import subprocess
from typing import Any

_GRACE_SECONDS = 20


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def end(server: subprocess.Popen[Any]) -> None:
    """Ask a server to end, and make it end where it does not."""
    server.terminate()
    try:
        server.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
