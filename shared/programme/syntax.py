"""A rule as a tree, for those who judge rules without an event."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, number, yes or no, or null, as it is written in the rule."""

    value: object
    kind: str  # equal values of two kinds are two values: 1 and true


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the event, such as `event.call.queue`, or of a loop."""

    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a map by its name; `tested`: only whether it is there."""

    of: "Node"
    name: str
    tested: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function, such as `_&&_`; of a method the first argument is its object."""

    function: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Items:
    """A list that stands in the rule."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Loop:
    """What `all`, `exists`, `exists_one`, `map` and `filter` become; `at`: its place in the text.

    `parts` are worked out again for each item of `over`; `makes`: its result holds new items.
    """

    over: "Node"
    parts: tuple["Node", ...]
    makes: bool
    at: int = field(compare=False)


@dataclass(frozen=True, slots=True)
class Unread:
    """What is not told apart here; never the same as another one."""

    number: int


Node: TypeAlias = Constant | Name | Entry | Call | Items | Loop | Unread


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    for below in children(node):
        yield from walk(below)


def children(node: Node) -> tuple[Node, ...]:
    """What stands directly below a node."""
    match node:
        case Entry():
            return (node.of,)
        case Call():
            return node.arguments
        case Items():
            return node.items
        case Loop():
            return (node.over, *node.parts)
        case _:
            return ()
