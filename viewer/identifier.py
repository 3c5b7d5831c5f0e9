"""The identifier's REST API, as the pages use it: everything that is kept is kept there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from services.certificate import Trust, distrust
from viewer.texts import Texts

# What JSON is: the pages show it, and hand none of it on to anything that computes.
Json = dict[str, Any]

_TIMEOUT = httpx.Timeout(10.0, connect=3.0)
# Enrolling looks at a photo in several sizes, erasing goes through weeks of topics.
_WORK_TIMEOUT = httpx.Timeout(120.0, connect=3.0)
_CONNECTIONS = httpx.Limits(max_connections=32, max_keepalive_connections=8)


class IdentifierAway(Exception):  # noqa: N818 - a state, not a fault of the request
    """The identifier does not answer, or there is none; the text is for people."""


class IdentifierProblem(Exception):  # noqa: N818 - as RFC 9457 calls it
    """The identifier refused: a problem of RFC 9457.

    Attributes:
        status: HTTP status.
        reason: one word for programs.
        detail: one sentence for people.
        measured: numbers found, unit in the name.
        allowed: numbers asked for, unit in the name.
    """

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.reason = str(document.get("reason", "refused"))
        self.detail = str(document.get("detail", ""))
        self.measured: Json = dict(document.get("measured") or {})
        self.allowed: Json = dict(document.get("allowed") or {})
        super().__init__(self.detail)

    def document(self) -> Json:
        """The problem as JSON."""
        return {
            "type": "about:blank",
            "title": "Refused",
            "status": self.status,
            "detail": self.detail,
            "reason": self.reason,
            "measured": self.measured,
            "allowed": self.allowed,
        }


@dataclass(frozen=True, slots=True)
class File:
    """Bytes with what they are."""

    media_type: str
    data: bytes = field(repr=False)


class Identifier:
    """Asks the identifier; safe to use from any thread.

    Args:
        url: of the API, without a path; None where there is no identifier to ask.
        token: for it, None where it wants none.
        trust: whose certificate is believed.
        texts: what people are told when it does not answer.
    """

    def __init__(
        self,
        url: str | None,
        token: str | None = None,
        trust: Trust = True,
        texts: Texts | None = None,
    ) -> None:
        self.trust = trust
        self._texts = texts or Texts()
        self.url = None if url is None else url.rstrip("/")
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(
            base_url=self.url or "",
            headers=self.headers,
            timeout=_TIMEOUT,
            limits=_CONNECTIONS,
            verify=trust,
        )

    def close(self) -> None:
        """End its connections."""
        self._client.close()

    def get(self, path: str, **params: str | int | float | bool | None) -> Json:
        """Read a document.

        Args:
            path: from `/api/v1`, as `/people`.
            params: of the query; None and empty ones are left out.

        Raises:
            IdentifierProblem: it refused.
            IdentifierAway: it does not answer.
        """
        return self._document(self._ask("GET", path, params=_given(params)))

    def send(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        file: File | None = None,
        params: Mapping[str, str | int | float | bool | None] | None = None,
        soon: bool = False,
    ) -> Json:
        """Change something; an answer without a body is an empty document.

        Args:
            method: `POST`, `PUT`, `PATCH` or `DELETE`.
            path: from `/api/v1`.
            json: the body.
            file: the body as a form with one `file`, instead.
            params: of the query; None and empty ones are left out.
            soon: whether the answer needs no work, and is not waited for as long.

        Raises:
            IdentifierProblem: it refused.
            IdentifierAway: it does not answer.
        """
        files = None if file is None else {"file": ("photo", file.data, file.media_type)}
        return self._document(
            self._ask(
                method,
                path,
                params=_given(params or {}),
                json=json,
                files=files,
                timeout=_TIMEOUT if soon else _WORK_TIMEOUT,
            )
        )

    def file(
        self, path: str, *, method: str = "GET", json: object = None, **params: str | int | None
    ) -> File | None:
        """Fetch a picture; None where there is none.

        Raises:
            IdentifierProblem: it refused for another reason.
            IdentifierAway: it does not answer.
        """
        try:
            found = self._ask(method, path, params=_given(params), json=json, timeout=_WORK_TIMEOUT)
        except IdentifierProblem as refused:
            if refused.status in (404, 410):
                return None
            raise
        return File(found.headers.get("content-type", "application/octet-stream"), found.content)

    def nonsense(self) -> IdentifierAway:
        """What to raise for an answer that an identifier does not give: somebody else is there."""
        return IdentifierAway(self._texts("identifier.not_its_answer"))

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        if self.url is None:
            raise IdentifierAway(self._texts("identifier.unset"))
        try:
            answer = self._client.request(method, f"/api/v1{path}", **options)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, RuntimeError) as error:
            # httpx says RuntimeError of a client that was closed, while the viewer ends.
            why = distrust(error, "IDENTIFIER_CA", self._texts.of("certificate"))
            raise IdentifierAway(
                self._texts("identifier.no_answer", url=self.url, why=type(error).__name__)
                if why is None
                else self._texts("identifier.no_tls", url=self.url, why=why)
            ) from None
        if answer.is_success:
            return answer
        status = answer.status_code
        try:
            document = answer.json()
        except ValueError:
            document = {}
        said = {"detail": self._texts("identifier.answered", status=status)}
        raise IdentifierProblem(status, said | document if type(document) is dict else said)

    def _document(self, answer: httpx.Response) -> Json:
        if not answer.content:
            return {}
        try:
            document = answer.json()
        except ValueError:
            raise self.nonsense() from None
        return document if type(document) is dict else {"items": document}


def _given(
    params: Mapping[str, str | int | float | bool | None],
) -> dict[str, str | int | float | bool]:
    return {name: value for name, value in params.items() if value is not None and value != ""}
