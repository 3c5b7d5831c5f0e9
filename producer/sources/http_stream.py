"""Opening an HTTP stream that can be cut off: basic and digest login, redirects, timeouts."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote, urlsplit, urlunsplit

from producer.sources.frames import Reason, SourceLost
from services.addresses import is_link_local

AGENT = "facestream"

_OPENS_WITHIN = 3  # connecting, a login, an answer: so many times the timeout of one of them

Checked = Callable[[str], None]
Connected = Callable[[socket.socket], None]
Answered = Callable[[http.client.HTTPResponse], None]


class HttpStream:
    """An answer that is read piece by piece, and the sockets under it.

    The environment's proxies are not used: cameras are near. A login in the address goes to
    that host alone.

    Raises:
        SourceLost: no answer in time, or one that is not 200.
    """

    def __init__(
        self,
        uri: str,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        link_local: bool = True,
    ) -> None:
        # A login or a redirect takes more than one connection.
        self._sockets: list[socket.socket] = []
        self._answers: list[http.client.HTTPResponse] = []
        self._read_timeout_s = read_timeout_s
        self._link_local = link_local
        bare, user, password = split_login(uri)
        request = urllib.request.Request(bare, headers={"User-Agent": AGENT})  # noqa: S310 - checked
        # A timeout is for one read: a server that sends its head letter by letter keeps to it.
        too_slow = threading.Timer(_OPENS_WITHIN * connect_timeout_s, self.cut)
        too_slow.daemon = True
        too_slow.start()
        try:
            self.body: http.client.HTTPResponse = self._opener(bare, user, password).open(
                request, timeout=connect_timeout_s
            )
        except urllib.error.HTTPError as error:
            self.close()
            words = http.client.responses.get(error.code, "")
            raise SourceLost(f"HTTP {error.code} {words}", _reason(error.code)) from None
        except SourceLost:
            self.close()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise SourceLost(plain(error)) from None
        finally:
            too_slow.cancel()

    @property
    def content_type(self) -> str:
        """What the answer says it is."""
        return self.body.headers.get("Content-Type", "")

    def cut(self) -> None:
        """Cut the connection; a read that waits in another thread ends at once."""
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give up the connection; the thread that reads calls it."""
        self.cut()
        for answer in self._answers:
            answer.close()
        for connection in self._sockets:
            connection.close()

    def _opener(
        self, uri: str, user: str | None, password: str | None
    ) -> urllib.request.OpenerDirector:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        if user is not None:
            passwords.add_password(None, uri, user, password or "")
        opener = urllib.request.OpenerDirector()
        for handler in (
            _Http(self._check_host, self._connected, self._answers.append),
            _Https(self._check_host, self._connected, self._answers.append),
            urllib.request.HTTPRedirectHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPBasicAuthHandler(passwords),
            urllib.request.HTTPDigestAuthHandler(passwords),
        ):
            opener.add_handler(handler)
        return opener

    def _check_host(self, host: str) -> None:
        if not self._link_local and is_link_local(host):
            raise SourceLost("the address is link-local: no camera is there", "refused-address")

    def _connected(self, connection: socket.socket) -> None:
        self._sockets.append(connection)
        self._check_host(connection.getpeername()[0])  # what a name has led to
        connection.settimeout(self._read_timeout_s)


def split_login(uri: str) -> tuple[str, str | None, str | None]:
    """The address without its login, the user and the password, `%XX` undone."""
    parts = urlsplit(uri)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    user = None if parts.username is None else unquote(parts.username)
    return bare, user, None if parts.password is None else unquote(parts.password)


def plain(error: Exception) -> str:
    """Why a connection failed, in words that cannot hold an address or its login."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _reason(status: int) -> Reason:
    if status in (http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN):
        return "wrong-password"
    return "not-found" if status == http.HTTPStatus.NOT_FOUND else "unreachable"


class _Http(urllib.request.HTTPHandler):
    def __init__(self, check: Checked, connected: Connected, answered: Answered) -> None:
        super().__init__()
        self._check, self._connected, self._answered = check, connected, answered

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        check, connected = self._check, self._connected

        class Connection(http.client.HTTPConnection):
            def connect(self) -> None:
                check(self.host)
                super().connect()
                connected(self.sock)

        answer = self.do_open(Connection, req)
        self._answered(answer)
        return answer


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, check: Checked, connected: Connected, answered: Answered) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(context=self._tls)
        self._check, self._connected, self._answered = check, connected, answered

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        check, connected = self._check, self._connected

        class Connection(http.client.HTTPSConnection):
            def connect(self) -> None:
                check(self.host)
                super().connect()
                connected(self.sock)

        answer = self.do_open(Connection, req, context=self._tls)
        self._answered(answer)
        return answer
