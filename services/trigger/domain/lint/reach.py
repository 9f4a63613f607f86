"""Whether a rule can ever be true. Says no only where that is certain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from shared.programme.syntax import Call, Constant, Entry, Items, Name, Node

_MOST_CASES: Final = 256
_MIRRORED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_OPPOSITE: Final = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}
_COMPARISONS: Final = {f"_{sign}_": sign for sign in _OPPOSITE}
_YES = Constant(value=True, kind="bool")
_NO = Constant(value=False, kind="bool")


@dataclass(frozen=True, slots=True)
class Demand:
    """What one case asks of one term: a sign and the constants of which one must fit."""

    term: Node
    sign: str
    values: tuple[Constant, ...]


Case = tuple[Demand, ...]


def never_true(tree: Node, known: Mapping[str, str]) -> str | None:
    """Why the rule can never be true, in a few words; None where it may be.

    `known`: texts that every event has of which the rule is asked. Takes the rule apart into cases
    of demands that must hold together: a rule that fails is not true, so each must be met.
    """
    cases = _cases(tree, wanted=True)
    if cases is None:
        return None
    given = tuple(Demand(Name(n), "==", (Constant(v, "text"),)) for n, v in known.items())
    clashes = [_clash((*given, *case)) for case in cases]
    if not all(clashes):
        return None
    return next(filter(None, clashes), "it is always false")


def _cases(node: Node, *, wanted: bool) -> Sequence[Case] | None:
    """The cases in which a node is true (or false); None where there are too many."""
    match node:
        case Constant(kind="bool"):
            return [()] if node.value is wanted else []
        case Call("!_", (inner,)):
            return _cases(inner, wanted=not wanted)
        case Call("_&&_" | "_||_" as function, (left, right)):
            sides = _cases(left, wanted=wanted), _cases(right, wanted=wanted)
            together = (function == "_&&_") is wanted
            return _both(*sides) if together else _either(*sides)
        case Call("_?_:_", (asked, then, otherwise)):
            yes = _both(_cases(asked, wanted=True), _cases(then, wanted=wanted))
            no = _both(_cases(asked, wanted=False), _cases(otherwise, wanted=wanted))
            return _either(yes, no)
        case _:
            return _demanded(node, wanted=wanted)


def _both(left: Sequence[Case] | None, right: Sequence[Case] | None) -> Sequence[Case] | None:
    if left is None or right is None:
        return [] if [] in (left, right) else None
    if len(left) * len(right) > _MOST_CASES:
        return None
    return [(*one, *other) for one, other in product(left, right)]


def _either(left: Sequence[Case] | None, right: Sequence[Case] | None) -> Sequence[Case] | None:
    if left is None or right is None or len(left) + len(right) > _MOST_CASES:
        return None
    return [*left, *right]


def _demanded(node: Node, *, wanted: bool) -> Sequence[Case]:
    match node:
        case Call(function, (left, right)) if function in _COMPARISONS:
            sign = _COMPARISONS[function]
            sign = sign if wanted else _OPPOSITE[sign]
            if isinstance(right, Constant):
                return [(Demand(_one_name(left), sign, (right,)),)]
            if isinstance(left, Constant):
                return [(Demand(_one_name(right), _MIRRORED[sign], (left,)),)]
        case Call("@in", (term, Items(items))):
            values = tuple(item for item in items if isinstance(item, Constant))
            if len(values) == len(items):
                sign = "==" if wanted else "!="
                return [(Demand(_one_name(term), sign, values),)]
    return [(Demand(_one_name(node), "==", (_YES if wanted else _NO,)),)]


def _one_name(node: Node) -> Node:
    """`event.segments["region"]` is `event.segments.region`."""
    match node:
        case Call("_[_]", (of, Constant(str() as name, "text"))):
            return Entry(of, name)
        case _:
            return node


def _clash(case: Case) -> str | None:
    """What the demands of a case ask of one term that nothing can be; None if they agree."""
    terms: dict[Node, list[Demand]] = {}
    for demand in case:
        terms.setdefault(demand.term, []).append(demand)
    for term, demands in terms.items():
        candidates = _candidates(term, demands)
        if candidates is None:
            if not _bounds_agree([d for d in demands if d.sign not in ("==", "!=")]):
                return _said(term, demands)
        elif not any(all(_fits(c, demand) for demand in demands) for c in candidates):
            return _said(term, demands)
    return None


def _candidates(term: Node, demands: Sequence[Demand]) -> Sequence[Constant] | None:
    """The only values that the term can have; None where it may have others."""
    if isinstance(term, Constant):
        return [term]
    return next((demand.values for demand in demands if demand.sign == "=="), None)


def _bounds_agree(bounds: Sequence[Demand]) -> bool:
    """Whether anything lies between them; a term has one kind only."""
    values = [(bound.sign, bound.values[0]) for bound in bounds]
    if len({value.kind for _, value in values}) > 1:
        return False
    lows = [(s, v) for s, v in values if s in (">", ">=")]
    highs = [(s, v) for s, v in values if s in ("<", "<=")]
    return not any(_apart(low, high) for low, high in product(lows, highs))


def _apart(low: tuple[str, Constant], high: tuple[str, Constant]) -> bool:
    sign = "<=" if (low[0], high[0]) == (">=", "<=") else "<"
    return not _holds(low[1], sign, high[1])


def _fits(value: Constant, demand: Demand) -> bool:
    held = (_holds(value, demand.sign, other) for other in demand.values)
    return all(held) if demand.sign == "!=" else any(held)


def _holds(left: Constant, sign: str, right: Constant) -> bool:
    """One comparison; one of two kinds fails, unless it asks whether they are the same."""
    same_kind = left.kind == right.kind
    a, b = left.value, right.value
    if sign in ("==", "!="):
        return (same_kind and a == b) is (sign == "==")
    if not same_kind or not _ordered(a, b):
        return False
    smaller, equal = bool(a < b), a == b  # type: ignore[operator]
    signs = {"<": smaller, "<=": smaller or equal, ">": not (smaller or equal), ">=": not smaller}
    return signs[sign]


def _ordered(a: object, b: object) -> bool:
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    return numbers or (isinstance(a, str) and isinstance(b, str))


def _said(term: Node, demands: Sequence[Demand]) -> str:
    name = "".join(_written(term))
    asked = (f"{d.sign} {' or '.join(_value(v) for v in d.values) or 'nothing'}" for d in demands)
    return f"{name or 'a part'} would have to be {' and '.join(dict.fromkeys(asked))}"


def _value(constant: Constant) -> str:
    if constant.kind == "text":
        return f'"{constant.value}"'
    return {"null": "null", "bool": str(constant.value).lower()}.get(
        constant.kind, str(constant.value)
    )


def _written(term: Node) -> Iterator[str]:
    match term:
        case Name(name):
            yield name
        case Constant():
            yield _value(term)
        case Entry(of, name, tested=False):
            yield from _written(of)
            yield f".{name}"
        case Call(function, (of, *_)) if function.isidentifier():
            yield f"{function}("
            yield from _written(of)
            yield ")"
