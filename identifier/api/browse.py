"""`/api/v1/docs`: the API's description as a page to read and try it, nothing from elsewhere."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import FileResponse, RedirectResponse

from identifier.api.problems import ProblemError

PAGE = "/api/v1/docs"

_OURS = Path(__file__).parent / "static"
_SWAGGER_PACKAGE = "fastapi_offline"  # only its copy of Swagger UI is used, none of its code
_ASSETS = {
    "docs.js": "text/javascript",
    "docs.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-cache",
}


def browse_routes() -> APIRouter:
    """The page, what it is made of, and the way to it from `/`.

    The page itself is open to everyone who reaches the API: it holds nothing that is not in this
    project's source. What it asks the API for, its description first, needs the token where there
    is one.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def to_the_page() -> RedirectResponse:
        return RedirectResponse(PAGE)

    @router.get(PAGE)
    def show_page() -> FileResponse:
        return FileResponse(_OURS / "docs.html", media_type="text/html", headers=_HEADERS)

    @router.get(PAGE + "/{name}")
    def show_asset(name: str) -> FileResponse:
        if name not in _ASSETS:
            raise ProblemError(404, "not-found", f"the page has no {name}")
        folder = _swagger_folder() if name.startswith("swagger") else _OURS
        return FileResponse(folder / name, media_type=_ASSETS[name], headers=_HEADERS)

    return router


def _swagger_folder() -> Path:
    found = find_spec(_SWAGGER_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise ProblemError(
            404, "not-installed", "the page needs the Python package fastapi-offline: reinstall"
        )
    return Path(found.submodule_search_locations[0]) / "static"
