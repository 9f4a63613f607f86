"""Reading the form in which the engine serializes a compiled rule.

It is `cel.expr.CheckedExpr`, as published in cel-spec (proto/cel/expr/checked.proto and
syntax.proto), in protobuf's encoding.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.programme.syntax import Call, Constant, Entry, Items, Loop, Name, Node, Unread

_CHECKED, _EXPR, _SOURCE, _POSITIONS = 2, 4, 5, 4
_SIGN: Final = 1 << 63
_Values: TypeAlias = dict[int, list[int | bytes]]


def read_syntax(serialized: bytes) -> Node:
    """The tree of a compiled rule. What is unknown in it is `Unread`."""
    checked = _fields(_part(_fields(serialized), _CHECKED))
    source = _fields(_part(checked, _SOURCE))
    places = {}
    for entry in source.get(_POSITIONS, ()):
        pair = _fields(_bytes(entry))
        places[_number(pair, 1)] = _number(pair, 2)
    return _Reading(places).node(_part(checked, _EXPR))


@dataclass(frozen=True)
class _Reading:
    places: Mapping[int, int]

    def node(self, data: bytes) -> Node:
        values = _fields(data)
        number = _number(values, 2)
        for key, read in (
            (3, self._constant),
            (4, self._name),
            (5, self._entry),
            (6, self._call),
            (7, self._items),
            (8, self._map),
        ):
            if key in values:
                return read(_fields(_part(values, key)), number)
        return self._loop(values, number) if 9 in values else Unread(number)

    def _constant(self, values: _Values, number: int) -> Node:
        for key, kind in ((1, "null"), (2, "bool"), (3, "number"), (4, "number"), (5, "number")):
            if key in values:
                return Constant(_scalar(key, _number(values, key)), kind)
        if 6 in values:
            return Constant(_part(values, 6).decode(), "text")
        return Unread(number)

    def _name(self, values: _Values, _: int) -> Node:
        return Name(_part(values, 1).decode())

    def _entry(self, values: _Values, _: int) -> Node:
        of, name = self.node(_part(values, 1)), _part(values, 2).decode()
        return Entry(of, name, bool(_number(values, 3)))

    def _call(self, values: _Values, _: int) -> Node:
        arguments = (*values.get(1, ()), *values.get(3, ()))
        nodes = tuple(self.node(_bytes(argument)) for argument in arguments)
        return Call(_part(values, 2).decode(), nodes)

    def _items(self, values: _Values, _: int) -> Node:
        return Items(tuple(self.node(_bytes(item)) for item in values.get(1, ())))

    def _map(self, values: _Values, _: int) -> Node:
        entries = [_fields(_bytes(entry)) for entry in values.get(2, ())]
        return Call("{}", tuple(self.node(_part(e, key)) for e in entries for key in (3, 4)))

    def _loop(self, values: _Values, number: int) -> Node:
        loop = _fields(_part(values, 9))
        over, *parts = (self.node(_part(loop, key)) for key in (2, 4, 5, 6, 7))
        made = _appended(parts[2])
        makes = made is not None and made != Name(_part(loop, 1).decode())
        return Loop(over, tuple(parts), makes, self.places.get(number, 0))


def _appended(step: Node) -> Node | None:
    """What a step of `map` or `filter` appends to the result; None in another loop."""
    if isinstance(step, Call) and step.function == "_?_:_":
        step = step.arguments[1]
    if isinstance(step, Call) and step.function == "_+_" and isinstance(step.arguments[1], Items):
        return step.arguments[1].items[0]
    return None


def _scalar(key: int, number: int) -> object:
    if key in (1, 2):
        return None if key == 1 else bool(number)
    if key == 5:
        found: float = struct.unpack("<d", struct.pack("<Q", number))[0]
        return found
    return number - 2 * _SIGN if key == 3 and number >= _SIGN else number


def _fields(data: bytes) -> _Values:
    """The fields of one message by their numbers, in protobuf's encoding."""
    found: _Values = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        key, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == 0:
            value, at = _varint(data, at)
        elif wire in (1, 5):
            width = 8 if wire == 1 else 4
            value, at = int.from_bytes(data[at : at + width], "little"), at + width
        else:
            length, at = _varint(data, at)
            value, at = data[at : at + length], at + length
        found.setdefault(key, []).append(value)
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _part(values: _Values, key: int) -> bytes:
    return _bytes(values[key][0]) if key in values else b""


def _bytes(value: int | bytes) -> bytes:
    return value if isinstance(value, bytes) else b""


def _number(values: _Values, key: int) -> int:
    value = values[key][0] if key in values else 0
    return value if isinstance(value, int) else 0
