"""The identifier's REST API as a producer uses it: report, get orders, deliver test shots."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from producer.reporting import Reported
from services.certificate import Trust, distrust
from services.errors import RetriableError

_TIMEOUT = httpx.Timeout(3.0, connect=2.0)
_GOODBYE_TIMEOUT_S = 0.7


class IdentifierAway(RetriableError):  # noqa: N818 - a state, like BrokerUnavailable
    """The identifier does not answer, or refuses."""


class Given(BaseModel):
    """A camera to run; `fps` and `max_side` (px) of 0 limit nothing."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=64)
    address: str = Field(repr=False)
    fps: float = Field(0, ge=0)
    max_side: int = Field(0, ge=0)


class Wanted(BaseModel):
    """A picture to take."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    address: str = Field(repr=False)


class Orders(BaseModel):
    """What to run, for how long without another answer, and what to take pictures of."""

    model_config = ConfigDict(frozen=True)

    cameras: tuple[Given, ...]
    shots: tuple[Wanted, ...] = ()
    taken: tuple[str, ...] = ()
    lease_s: float = Field(10, gt=0)


@dataclass(frozen=True, slots=True)
class Me:
    """Who reports: an id unlike any other's, and the version."""

    id: str
    version: str


@dataclass(slots=True)
class Identifier:
    """Asks the identifier; safe to use from any thread.

    Args:
        url: where its API is.
        token: for it, None where it wants none.
        me: who asks.
        follows: whether it is to be given cameras.
        trust: whose certificate is believed.
    """

    url: str
    token: str | None = field(repr=False)
    me: Me
    follows: bool = True
    trust: Trust = field(default=True, repr=False)
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        self._client = httpx.Client(
            base_url=f"{self.url.rstrip('/')}/api/v1/producers",
            headers=headers,
            timeout=_TIMEOUT,
            verify=self.trust,
            trust_env=not _is_this_machine(self.url),  # no proxy leads to this machine
        )

    def report(self, cameras: Sequence[Reported]) -> Orders:
        """Say how the cameras are; gives what to run.

        Raises:
            IdentifierAway: no answer, or none that makes sense.
        """
        answer = self._put(f"/{self.me.id}", self._document(cameras))
        try:
            return Orders.model_validate_json(answer.content)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise IdentifierAway(f"the answer makes no sense: {what}") from None

    def leave(self, cameras: Sequence[Reported]) -> None:
        """Say that what was given has stopped, so that others may have it at once.

        Raises:
            IdentifierAway: no answer soon.
        """
        self._put(
            f"/{self.me.id}",
            self._document(cameras) | {"leaving": True},
            timeout_s=_GOODBYE_TIMEOUT_S,
        )

    def deliver(self, shot: str, jpeg: bytes) -> None:
        """Deliver a test shot.

        Raises:
            IdentifierAway: it is not taken.
        """
        self._send(f"/{self.me.id}/shots/{shot}", content=jpeg, kind="image/jpeg")

    def refuse(self, shot: str, reason: str, detail: str) -> None:
        """Say why there is no test shot.

        Raises:
            IdentifierAway: nobody listens.
        """
        self._put(f"/{self.me.id}/shots/{shot}", {"reason": reason, "detail": detail[:500]})

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def _document(self, cameras: Sequence[Reported]) -> dict[str, object]:
        return {
            "version": self.me.version,
            "follows": self.follows,
            "cameras": [camera.document() for camera in cameras],
        }

    def _put(
        self, path: str, document: Mapping[str, object], timeout_s: float | None = None
    ) -> httpx.Response:
        timeout = _TIMEOUT if timeout_s is None else httpx.Timeout(timeout_s)
        try:
            return _checked(self._client.put(path, json=document, timeout=timeout))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            raise _away(error) from None

    def _send(self, path: str, *, content: bytes, kind: str) -> None:
        try:
            _checked(self._client.put(path, content=content, headers={"Content-Type": kind}))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            raise _away(error) from None


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_success:
        return answer
    try:
        document = answer.json()
        detail = str(document.get("detail", "")) if isinstance(document, dict) else ""
    except ValueError:
        detail = ""
    raise IdentifierAway(f"HTTP {answer.status_code} {detail[:200]}".strip())


def _away(error: Exception) -> IdentifierAway:
    return IdentifierAway(distrust(error, "IDENTIFIER_CA") or type(error).__name__)


def _is_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
