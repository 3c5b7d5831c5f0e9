"""Asking the identifier: one method per kind of request, every failure one clear line."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from services.certificate import distrust, trust
from services.cli.people.answers import Page
from services.cli.people.settings import IdentifierAddress
from services.errors import FacestreamError, FatalError

_CONNECT_S = 5.0
_PAGE = 500
_TRIES_WHEN_BUSY = 30
_LONGEST_PAUSE_S = 10.0
_LONGEST_DETAIL = 500

Query = Mapping[str, str | int | float | bool | None]
A = TypeVar("A", bound=BaseModel)
P = TypeVar("P", bound=Page)
E = TypeVar("E")


class UnreachableError(FatalError):
    """No identifier answers, or not as one should."""


class RefusedError(FacestreamError):
    """The identifier said no; the text is its own sentence.

    Attributes:
        status: of the HTTP answer.
        reason: one kebab-case word, such as `several-faces`.
    """

    def __init__(self, status: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason


class _Problem(BaseModel):
    detail: str = ""
    reason: str = ""


class Api:
    """A client of one identifier; safe for several threads.

    Args:
        address: where it is.
        connections: how many requests there may be at the same time.
    """

    def __init__(self, address: IdentifierAddress, connections: int = 1) -> None:
        self._url = address.identifier_url
        token = address.identifier_token
        self._has_token = token is not None
        headers = {"Accept": "application/json"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(address.identifier_timeout_s, connect=_CONNECT_S),
            limits=httpx.Limits(max_connections=connections),
            verify=trust(address.identifier_ca),
            trust_env=not address.on_loopback,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def get(self, path: str, answer: type[A], query: Query | None = None) -> A:
        """Ask for something.

        Args:
            path: below `/api/v1/`, quoted.
            answer: what comes back.
            query: parameters; those that are None are left out.

        Raises:
            RefusedError: the identifier said no.
            UnreachableError: it does not answer.
        """
        return self._read(self._ask("GET", path, query=query), answer)

    def entries(
        self,
        path: str,
        page: type[P],
        entries_of: Callable[[P], Sequence[E]],
        query: Query,
        most: int | None = None,
    ) -> Iterator[E]:
        """Ask page by page, until there is no more or `most` entries have come.

        Args:
            path: below `/api/v1/`.
            page: what comes back.
            entries_of: the entries of a page.
            query: parameters besides `limit` and `after`.
            most: entries wanted; None for all.

        Raises:
            RefusedError, UnreachableError: as `get`.
        """
        after: str | None = None
        left = most
        while left is None or left > 0:
            limit = _PAGE if left is None else min(left, _PAGE)
            answer = self.get(path, page, {**query, "limit": limit, "after": after})
            entries = entries_of(answer)[:left]
            yield from entries
            if answer.next is None:
                return
            after = answer.next
            left = None if left is None else left - len(entries)

    def send(
        self,
        method: str,
        path: str,
        answer: type[A],
        *,
        body: Mapping[str, str | float | bool | None] | None = None,
        file: tuple[str, bytes] | None = None,
        query: Query | None = None,
    ) -> A:
        """Change something; waits and tries again while the identifier is busy.

        Args:
            method: POST or PATCH.
            path: below `/api/v1/`, quoted.
            answer: what comes back.
            body: sent as JSON.
            file: sent as a form's field `file`: its name and bytes.
            query: parameters.

        Raises:
            RefusedError, UnreachableError: as `get`.
        """
        return self._read(self._ask(method, path, query=query, body=body, file=file), answer)

    def delete(self, path: str) -> None:
        """Remove something.

        Raises:
            RefusedError, UnreachableError: as `get`.
        """
        self._ask("DELETE", path)

    def download(self, path: str) -> tuple[bytes, str]:
        """A picture, and its media type.

        Raises:
            RefusedError, UnreachableError: as `get`.
        """
        answer = self._ask("GET", path)
        return answer.content, answer.headers.get("content-type", "").partition(";")[0]

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Mapping[str, str | float | bool | None] | None = None,
        file: tuple[str, bytes] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        for _ in range(_TRIES_WHEN_BUSY):
            try:
                answer = self._client.request(
                    method,
                    f"{self._url}/api/v1/{path}",
                    params=given,
                    json=body,
                    files=None if file is None else {"file": file},
                )
            except httpx.TimeoutException:
                raise UnreachableError(f"the identifier at {self._url} takes too long") from None
            except httpx.HTTPError as error:
                raise self._away(error) from None
            wait_s = _retry_after_s(answer)
            if wait_s is None:
                break
            time.sleep(wait_s)
        if not answer.is_success:
            raise self._no(answer)
        return answer

    def _read(self, response: httpx.Response, answer: type[A]) -> A:
        try:
            return answer.model_validate_json(response.content)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise UnreachableError(
                f"{self._url} does not answer as an identifier of this version ({where or 'JSON'})"
            ) from None

    def _away(self, error: httpx.HTTPError) -> UnreachableError:
        if (why := distrust(error, "IDENTIFIER_CA")) is not None:
            return UnreachableError(f"no asking the identifier at {self._url}: {why}")
        if isinstance(error, httpx.ConnectError):
            return UnreachableError(
                f"no identifier answers at {self._url}: start one with `facestream up` (or "
                "`facestream identifier`), or say where it is with IDENTIFIER_URL"
            )
        hint = "; does it want https?" if self._url.startswith("http:") else ""
        return UnreachableError(f"the identifier at {self._url} broke off: {error}{hint}")

    def _no(self, answer: httpx.Response) -> FacestreamError:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            if self._has_token:
                return UnreachableError(
                    f"the token in IDENTIFIER_TOKEN is not the API_TOKEN of {self._url}"
                )
            return UnreachableError(
                f"the identifier at {self._url} wants a token: set IDENTIFIER_TOKEN "
                "(or IDENTIFIER_TOKEN_FILE) to what its API_TOKEN says"
            )
        try:
            found = _Problem.model_validate_json(answer.content)
        except ValidationError:
            found = _Problem()
        if not found.detail:
            return UnreachableError(
                f"{self._url} answers {answer.status_code} {answer.reason_phrase}: "
                "is that an identifier? See IDENTIFIER_URL"
            )
        return RefusedError(answer.status_code, found.reason, found.detail[:_LONGEST_DETAIL])


def part(text: str) -> str:
    """Any text as one part of a path."""
    return quote(text, safe="")


def _retry_after_s(answer: httpx.Response) -> float | None:
    """How long to wait before asking again; None when that is no use."""
    if answer.status_code not in (429, 503) or "retry-after" not in answer.headers:
        return None
    given = answer.headers["retry-after"]
    return min(_LONGEST_PAUSE_S, float(given)) if given.isdigit() else 1.0
