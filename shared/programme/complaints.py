"""What the validator found, in the operator's words: key, line, fault, what is accepted."""

import types
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.programme.faults import NotAccepted, ProgrammeFault, nearest, one_of
from shared.programme.sources import Source

_SILENT = {"default_factory_not_called"}  # follows from another fault
_KINDS = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "mapping_type": "keys with values",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}
_LENGTHS = {"too_short", "too_long"}
_LIMITS = {
    "greater_than": ("gt", "more than {}"),
    "greater_than_equal": ("ge", "at least {}"),
    "less_than": ("lt", "less than {}"),
    "less_than_equal": ("le", "at most {}"),
    "too_short": ("min_length", "at least {} entries"),
    "too_long": ("max_length", "at most {} entries"),
    "string_too_short": ("min_length", "a length of at least {}"),
    "string_too_long": ("max_length", "a length of at most {}"),
    "string_pattern_mismatch": ("pattern", "a text that matches {}"),
}


def complaints(
    error: ValidationError, model: type[BaseModel], source: Source, path: tuple[str, ...]
) -> Iterator[ProgrammeFault]:
    """Every fault of one validation, with its place in the file."""
    for found in error.errors(include_url=False):
        if found["type"] not in _SILENT:
            yield from _complaint(found, model, source, path)


def _complaint(
    found: ErrorDetails, model: type[BaseModel], source: Source, path: tuple[str, ...]
) -> Iterator[ProgrammeFault]:
    steps = tuple(str(step) for step in found["loc"])
    place = (*path, *steps)
    cause = found.get("ctx", {}).get("error")
    if isinstance(cause, NotAccepted):
        for each in (cause, *cause.more):
            yield _refused(each, source, (*place, each.at) if each.at else place)
    elif found["type"] == "missing":
        yield source.fault(place, "is missing", _described(steps, model) or "a value for it")
    elif found["type"] == "extra_forbidden":
        names = _keys_at(steps[:-1], model)
        yield source.fault(place, f"unknown key{nearest(steps[-1], names)}", one_of(names))
    else:
        fault, accepted = _worded(found)
        if found["type"] in _LENGTHS:  # tells of one of its two limits
            accepted = _described(steps, model) or accepted
        yield source.fault(place, fault, accepted)


def _refused(cause: NotAccepted, source: Source, place: tuple[str, ...]) -> ProgrammeFault:
    if not cause.column:
        return source.fault(place, str(cause), cause.accepted)
    line = source.text_lines.get(place, source.line_of(place)) + cause.line - 1
    fault = f"line {cause.line}, column {cause.column}: {cause}"
    return source.fault(place, fault, cause.accepted, line)


def _worded(found: ErrorDetails) -> tuple[str, str]:
    kind, context = found["type"], found.get("ctx", {})
    value = repr(found["input"])[:100]
    if kind in _KINDS:
        return f"{value} is not {_KINDS[kind]}", _KINDS[kind]
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return f"{_number(found['input'])} is not accepted"[:120], words.format(
            _number(context.get(name))
        )
    if kind in {"literal_error", "enum"}:
        names = str(context.get("expected")).replace("'", "").replace(" or ", ", ").split(", ")
        return f"{value} is unknown{nearest(str(found['input']), names)}", one_of(names)
    if "error" in context:
        fault, _, accepted = str(context["error"]).partition(": ")
        return fault, accepted
    return f"{value}: {found['msg']}", ""


def _described(steps: tuple[str, ...], model: type[BaseModel]) -> str:
    """What a field says is accepted; empty where it says nothing."""
    field = _field(steps[-1], _model_at(steps[:-1], model))
    return (field.description or "") if field else ""


def _keys_at(steps: tuple[str, ...], model: type[BaseModel]) -> list[str]:
    fields = _model_at(steps, model).model_fields
    return [field.alias or name for name, field in fields.items() if name != "key"]


def _model_at(steps: tuple[str, ...], model: type[BaseModel]) -> type[BaseModel]:
    """The model that stands at a place: through fields, and through mappings by name."""
    kind: Any = model
    for step in steps:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = _field(step, kind)
            kind = field.annotation if field else model
        else:
            kind = [inner for inner in get_args(kind) if inner is not Ellipsis][-1]
        if isinstance(kind, types.UnionType):
            kind = get_args(kind)[0]
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else model


def _field(name: str, model: type[BaseModel]) -> FieldInfo | None:
    fields: Mapping[str, FieldInfo] = model.model_fields
    by_alias = {field.alias or key: field for key, field in fields.items()}
    return by_alias.get(name)


def _number(limit: object) -> str:
    return f"{limit:g}" if isinstance(limit, float) else str(limit)
