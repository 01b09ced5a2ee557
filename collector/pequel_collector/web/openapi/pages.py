"""``/openapi.json``, and ``/docs`` to read it in a browser. They need no key.

The page is Swagger UI from a package: nothing is loaded from another host, and the page's policy
forbids it.
"""

from __future__ import annotations

from functools import cache

from flask import Blueprint, Flask, Response, current_app, request, send_file
from markupsafe import escape
from openapi_ui_bundles import swagger_ui

from ...app.bootstrap import Collector
from ...errors import NotFound
from ..json import json_response
from .document import document
from .operation import ANY_OBJECT, Content, Operation, describe

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
"""The files of Swagger UI that the page uses, by media type."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_PAGE = """\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Pequel API</title>
    <link rel="stylesheet" href="{root}/docs/swagger-ui.css">
    <link rel="icon" type="image/png" href="{root}/docs/favicon-32x32.png">
  </head>
  <body>
    <div id="page"></div>
    <noscript>
      This page needs JavaScript. The description is at
      <a href="{root}/openapi.json">openapi.json</a>.
    </noscript>
    <script src="{root}/docs/swagger-ui-bundle.js"></script>
    <script src="{root}/docs/start.js"></script>
  </body>
</html>
"""
_START = """\
SwaggerUIBundle({
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#page",
  deepLinking: true,
  validatorUrl: null,
});
"""
_ONE_DAY = 86_400
_TEXT = {"type": "string"}
_DESCRIPTION = Operation(
    "This description, as OpenAPI 3.1",
    "operations",
    contents=(Content("application/json", ANY_OBJECT),),
)
_DOCS = Operation(
    "This description as a page", "operations", contents=(Content("text/html", _TEXT),)
)
_ASSET = Operation(
    "A file of that page",
    "operations",
    contents=tuple(Content(type_, _TEXT) for type_ in sorted(set(ASSETS.values()))),
    errors=(404,),
)


def blueprint(_collector: Collector) -> Blueprint:
    """The description of the application that it is part of."""
    bp = Blueprint("openapi", __name__)
    described = cache(document)

    @bp.get("/openapi.json")
    @describe(_DESCRIPTION)
    def openapi() -> Response:
        # The app itself, because the description is kept for each app, not for each proxy of it.
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
        return json_response(described(app) | {"servers": [{"url": request.root_path or "/"}]})

    @bp.get("/docs")
    @describe(_DOCS)
    def docs() -> Response:
        page = Response(_PAGE.format(root=escape(request.root_path)), mimetype="text/html")
        page.headers["Content-Security-Policy"] = POLICY
        return page

    @bp.get("/docs/<name>")
    @describe(_ASSET)
    def asset(name: str) -> Response:
        if name == "start.js":
            return Response(_START, mimetype="text/javascript")
        if name not in ASSETS:
            raise NotFound(f"there is no file {name[:100]!a} here")
        return send_file(swagger_ui.static_path / name, ASSETS[name], max_age=_ONE_DAY)

    return bp
