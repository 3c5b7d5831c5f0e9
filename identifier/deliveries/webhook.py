"""A webhook: an event is POSTed as JSON, signed, and the answer's status decides."""

from __future__ import annotations

import base64
import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    NewConnectionError,
    SSLError,
    TimeoutError,  # noqa: A004 - its name there
)

from identifier.deliveries.signing import sign
from identifier.deliveries.values import Delivered, Event, Outcome, Refused, TryAgain
from services.errors import SettingsError

_CONNECT_TIMEOUT_S = 5.0
_TRY_AGAIN = {408, 425, 429}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a webhook is.

    Attributes:
        url: without credentials, yet its path may be a secret.
        authorization: the header; empty where the address had no credentials.
        host: host and port, for people.
        digest: of the whole address as it was given.
    """

    url: str = field(repr=False)
    authorization: str = field(repr=False)
    host: str
    digest: str


def parse_endpoints(text: str) -> tuple[Endpoint, ...]:
    """The addresses of WEBHOOK_URLS, separated by commas or blanks; the same one counts once.

    Raises:
        SettingsError: one of them is no http or https address; it is not shown, for it may hold a
            secret.
    """
    given = dict.fromkeys(text.replace(",", " ").split())
    return tuple(_endpoint(number, url) for number, url in enumerate(given, 1))


class Webhook:
    """A sink that POSTs.

    Every event has a connection of its own: events are few, and a connection that a receiver has
    closed meanwhile would look like a failure. Redirects are not followed and proxies of the
    environment not used. Of an answer only the status and `Retry-After` are read.

    Args:
        endpoint: where to.
        keys: to sign with, see `signing`.
        timeout_s: for an answer.
        retry_s: how long one event is tried.
        user_agent: the header.
        clock: seconds since 1970.
    """

    kind: Literal["webhook"] = "webhook"

    def __init__(
        self,
        endpoint: Endpoint,
        keys: Sequence[bytes],
        *,
        timeout_s: float,
        retry_s: float,
        user_agent: str = "facestream",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._endpoint = endpoint
        self._keys = tuple(keys)
        self._clock = clock
        self._agent = user_agent
        self.retry_s: float | None = retry_s
        connect_s = min(_CONNECT_TIMEOUT_S, timeout_s)
        self._http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=connect_s, read=timeout_s), retries=False
        )

    @property
    def name(self) -> str:
        """Of the row: tells endpoints of one host apart without telling their addresses."""
        return f"webhook:{self._endpoint.host[:200]}:{self._endpoint.digest}"

    @property
    def shown(self) -> str:
        """The host: the rest of the address may be a secret."""
        return self._endpoint.host

    def deliver(self, event: Event) -> Outcome:
        """POST it once."""
        body = event.payload.encode()
        try:
            answer = self._http.request(
                "POST",
                self._endpoint.url,
                body=body,
                headers=self._headers(event, body),
                redirect=False,
                preload_content=False,
            )
        except NewConnectionError:  # urllib3 counts it among the timeouts
            return TryAgain("unreachable")
        except TimeoutError:
            return TryAgain("timeout")
        except SSLError:
            return TryAgain("tls")
        except (HTTPError, OSError):
            return TryAgain("unreachable")
        answer.close()
        return _outcome(answer.status, answer.headers.get("Retry-After"), self._clock())

    def tend(self) -> Outcome:
        """Nothing to do between events."""
        return Delivered()

    def close(self) -> None:
        """Nothing is open between events."""
        self._http.clear()

    def _headers(self, event: Event, body: bytes) -> dict[str, str]:
        timestamp_s = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": self._agent,
            "Connection": "close",
            "Idempotency-Key": event.key,
            "webhook-id": event.key,
            "webhook-timestamp": str(timestamp_s),
            "webhook-signature": sign(self._keys, event.key, timestamp_s, body),
        }
        if self._endpoint.authorization:
            headers["Authorization"] = self._endpoint.authorization
        return headers


def _outcome(status: int, retry_after: str | None, now_s: float) -> Outcome:
    if 200 <= status < 300:
        return Delivered()
    reason = f"http-{status}"
    if status in _TRY_AGAIN or status >= 500:
        return TryAgain(reason, _seconds(retry_after, now_s))
    return Refused(reason)


def _seconds(retry_after: str | None, now_s: float) -> float | None:
    """`Retry-After` (RFC 9110): seconds, or a date."""
    if not retry_after:
        return None
    try:
        if retry_after.strip().isdecimal():
            wait_s = float(retry_after)
        else:
            moment = parsedate_to_datetime(retry_after)
            wait_s = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now_s
    except (ValueError, OverflowError):
        return None
    return max(0.0, wait_s) if math.isfinite(wait_s) else None


def _endpoint(number: int, address: str) -> Endpoint:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, SplitResult("", "", "", "", "")
    if parts.scheme not in ("http", "https") or not host:
        raise SettingsError(f"WEBHOOK_URLS: number {number} is no http:// or https:// address")
    netloc = f"[{host}]" if ":" in host else host
    shown = netloc if port is None else f"{netloc}:{port}"
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Endpoint(
        url=urlunsplit((parts.scheme, shown, parts.path or "/", parts.query, "")),
        authorization=authorization,
        host=shown,
        digest=hashlib.sha256(address.encode()).hexdigest()[:16],
    )
