"""`/docs`: the API on one page that loads nothing, for a person."""

import html
import re
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from shared.errors import NotFound
from shared.web.naming import add_plain

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_STYLE: Final = (
    "body{font:16px/1.5 system-ui;max-width:52rem;margin:2rem auto;padding:0 1rem}"
    "h2{font:600 1rem monospace;border-top:1px solid;padding-top:1rem}"
    "caption{text-align:left;font-weight:600;padding-top:.5rem}"
    "td{padding-right:1rem;vertical-align:top}"
)
_CODE: Final = re.compile(r"`([^`]+)`")
_CLOSED: Final = "the documents of the API are shut here; EARSHOT_DOCS=true opens them"


def build_documents(*, shown: bool) -> APIRouter:
    """`/docs` and `/openapi.json`; 404 with the reason where they are not shown."""
    router = APIRouter()

    async def document(request: Request) -> Response:
        return JSONResponse(_of(request, shown=shown).openapi())

    async def page(request: Request) -> Response:
        text = _page(_of(request, shown=shown).openapi())
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY})

    add_plain(router, "/openapi.json", document)
    add_plain(router, "/docs", page)
    return router


def _of(request: Request, *, shown: bool) -> FastAPI:
    if not shown:
        raise NotFound(_CLOSED)
    app: FastAPI = request.app
    return app


def _page(document: dict[str, Any]) -> str:
    title = html.escape(document["info"]["title"])
    parts = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style><h1>{title}</h1>",
        '<p>The whole document: <a href="openapi.json">openapi.json</a>.</p>',
    ]
    for path, methods in document["paths"].items():
        parts += [_operation(f"{m.upper()} {path}", one) for m, one in methods.items()]
    return "\n".join(parts)


def _operation(name: str, operation: dict[str, Any]) -> str:
    told = "\n\n".join(filter(None, (operation.get("summary"), operation.get("description"))))
    taken = [
        (one["name"], one.get("description", "") + (" (needed)" if one.get("required") else ""))
        for one in operation.get("parameters", ())
    ]
    given = [(code, one["description"]) for code, one in sorted(operation["responses"].items())]
    return (
        f"<h2>{html.escape(name)}</h2>{_text(told)}"
        f"{_table('Parameters', taken)}{_table('Answers', given)}"
    )


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = (f"<tr><td><code>{html.escape(a)}</code><td>{_marked(b)}</tr>" for a, b in rows)
    return f"<table><caption>{title}</caption>{''.join(cells)}</table>"


def _text(told: str) -> str:
    """Paragraphs; what stands between backticks is code."""
    return "".join(f"<p>{_marked(each)}</p>" for each in told.split("\n\n"))


def _marked(told: str) -> str:
    return _CODE.sub(r"<code>\1</code>", html.escape(told))
