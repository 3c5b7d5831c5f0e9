"""Style sheets, scripts and pictures of the pages, under an address that changes with them."""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path

from flask import Blueprint, Response, abort

from viewer.texts import Texts

_FOLDER = Path(__file__).parent.parent / "static"
_MAX_AGE_S = 31_536_000
_TEXTS = "texts.js"


class Assets:
    """Every file of `static/`, read once, and the texts of the scripts.

    All share one folder in their address, so that modules find each other by relative names and
    a browser may keep them for ever.

    Args:
        texts: for `texts.js`, and for who asks for a file that is not there.
    """

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._files = {
            file.name: file.read_bytes() for file in sorted(_FOLDER.iterdir()) if file.is_file()
        }
        self._files[_TEXTS] = texts.script
        digest = hashlib.sha256()
        for name, data in sorted(self._files.items()):
            digest.update(name.encode() + b"\0" + hashlib.sha256(data).digest())
        self._version = digest.hexdigest()[:12]

    def address(self, name: str) -> str:
        """Where a file is.

        Raises:
            KeyError: there is no such file.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/assets/{self._version}/{name}"

    def routes(self) -> Blueprint:
        """The route that serves them."""
        routes = Blueprint("assets", __name__)

        @routes.get("/assets/<version>/<name>")
        def asset(version: str, name: str) -> Response:
            data = self._files.get(name)
            if data is None:
                abort(404, self._texts("base.no_file"))
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            answer = Response(data, mimetype=kind)
            if version == self._version:
                answer.headers["Cache-Control"] = f"public, max-age={_MAX_AGE_S}, immutable"
            return answer

        return routes
