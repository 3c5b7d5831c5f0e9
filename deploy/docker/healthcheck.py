"""Whether the service in this container says that it is ready; for HEALTHCHECK, without curl."""

from __future__ import annotations

import http.client
import os
import ssl
import sys


def connect() -> http.client.HTTPConnection:
    """Over https where METRICS_TLS_CERT is set, as the service does."""
    port = int(os.environ.get("METRICS_PORT", "9100"))
    if not os.environ.get("METRICS_TLS_CERT"):
        return http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    # The other end is this container's own process, on its own loopback: nobody can stand between,
    # and the certificate is for the name that other containers know it by.
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=3, context=unverified)


def main() -> int:
    """Ask `/readyz` on METRICS_PORT; the answer is what `docker inspect` shows."""
    connection = connect()
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
