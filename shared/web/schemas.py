"""What replies look like, for `/openapi.json`: generated from the structs that are sent."""

from typing import Any

import msgspec


def replies(
    shape: Any, media: str = "application/json", *, status: int = 200
) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose success is this struct, with all that it is made of."""
    (schema,), parts = msgspec.json.schema_components([shape], ref_template="{name}")
    return {status: {"content": {media: {"schema": _inlined(schema, parts)}}}}


def page_replies(item: Any) -> dict[int | str, dict[str, Any]]:
    """The same for a route whose 200 is a `Page` of these."""
    return replies(msgspec.defstruct("Page", [("items", list[item]), ("next", str | None)]))


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"]], parts)
    return {key: _inlined(value, parts) for key, value in schema.items()}
