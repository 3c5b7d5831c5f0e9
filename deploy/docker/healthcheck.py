"""Whether the service in this container says that it is ready; for HEALTHCHECK, without curl."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Ask `/readyz` on METRICS_PORT; the answer is what `docker inspect` shows."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(os.environ.get("METRICS_PORT", "9100")), timeout=3
    )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        print(answer.read(2_048).decode(errors="replace"))  # noqa: T201 - read by Docker
    except OSError as error:
        print(error)  # noqa: T201
        return 1
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
