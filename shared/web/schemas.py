"""What replies look like, for `/openapi.json`: generated from the structs that are sent."""

from typing import Any

import msgspec


def replies(shape: Any, media: str = "application/json") -> dict[int | str, dict[str, Any]]:
    """The `responses=` of a route whose 200 is this struct; what it is made of stands within it."""
    (schema,), parts = msgspec.json.schema_components([shape], ref_template="{name}")
    return {200: {"content": {media: {"schema": _inlined(schema, parts)}}}}


def _inlined(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, parts) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(parts[schema["$ref"]], parts)
    return {key: _inlined(value, parts) for key, value in schema.items()}
