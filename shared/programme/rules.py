"""Rules of triggers: CEL text, compiled and tried at load, behind one small interface."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, cached_property

from cel_expr_python import cel

from shared.programme.faults import NotAccepted, nearest
from shared.programme.serialized import read_syntax
from shared.programme.syntax import Loop, Name, Node, Unread, walk
from shared.programme.views import NAMES, TEXTS, EventView, environment, event_view

__all__ = ["EventView", "Rule", "RuleError", "RuleFailed", "compile_rule", "event_view"]

LONGEST_RULE = 2_000
MOST_LOOPS = 4
MOST_ENTRIES = 500  # of a map that a loop may walk: copying its result takes quadratic time
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN = re.compile(r"undeclared reference to '([^']+)'")


class RuleError(NotAccepted):
    """A rule cannot be used; carries line and column in its text, counted from 1."""


class RuleFailed(Exception):
    """A rule gave no answer on one event."""


@dataclass(frozen=True)
class Rule:
    """A compiled rule, and what it is made of."""

    text: str
    program: cel.Expression = field(repr=False, compare=False)
    tree: Node = field(repr=False, compare=False)

    @cached_property
    def loops(self) -> bool:
        """Whether it walks a list or a map."""
        return any(isinstance(node, Loop) for node in walk(self.tree))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the event that it reads."""
        nodes = list(walk(self.tree))
        if any(isinstance(node, Unread) for node in nodes):
            return frozenset(NAMES)
        return frozenset(node.name for node in nodes if isinstance(node, Name)) & set(NAMES)

    def matches(self, view: EventView) -> bool:
        """Whether the rule holds. Raises RuleFailed where it has no yes or no."""
        if self.loops and view.longest_map > MOST_ENTRIES:
            raise RuleFailed(f"a map of the event has more than {MOST_ENTRIES} entries")
        try:
            result = self.program.eval(view.activation(self.names))
        except RuntimeError as error:
            raise RuleFailed(str(error)) from None
        if result.type() != cel.Type.BOOL:
            raise RuleFailed(_outcome(result))
        return result.value() is True


def compile_rule(text: object) -> Rule:
    """Compile a rule and try it on two made-up events. Raises RuleError."""
    if isinstance(text, bool):  # as YAML reads a bare true
        text = str(text).lower()
    if not isinstance(text, str) or not text.strip():
        raise RuleError(
            f"{text!r} is not a rule", "a CEL expression such as event.call.talk_s >= 30"
        )
    if len(text) > LONGEST_RULE:
        raise _refused(text, LONGEST_RULE, f"has {len(text)} characters", f"at most {LONGEST_RULE}")
    try:
        program = environment().compile(text)
    except (RuntimeError, TypeError) as error:
        raise _explained(str(error)) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        kind = program.return_type().name()
        wanted = "an expression that is true or false"
        raise _refused(text, 0, f"gives {kind}, not yes or no", wanted)
    tree = read_syntax(program.serialize())
    _refuse_bombs(text, tree)
    rule = Rule(text, program, tree)
    _try(rule)
    return rule


def _refused(text: str, place: int, fault: str, accepted: str) -> RuleError:
    """A fault at a place in the text."""
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    return RuleError(fault, accepted, line=line, column=column)


def _refuse_bombs(text: str, tree: Node) -> None:
    """One loop walks at most what the rule or the event lists; together they would multiply."""
    loops = sorted((n for n in walk(tree) if isinstance(n, Loop)), key=lambda loop: loop.at)
    inner = {n.at for loop in loops for p in loop.parts for n in walk(p) if isinstance(n, Loop)}
    for number, loop in enumerate(loops, 1):
        place = text.rfind(".", 0, loop.at)
        if loop.at in inner:
            raise _refused(text, place, "has a loop inside a loop", "one loop at a time")
        if any(isinstance(n, Loop) and n.makes for n in walk(loop.over)):
            fault = "walks over what map has made"
            raise _refused(text, place, fault, "a loop over a list, a map or a filter")
        if number > MOST_LOOPS:
            raise _refused(text, place, f"has {len(loops)} loops", f"at most {MOST_LOOPS}")


def _explained(message: str) -> RuleError:
    found = _FAULT.search(message)
    if found is None:
        deep = "recursion" in message
        reason = "is nested too deeply" if deep else message.removesuffix(" [CANCELLED]")
        return RuleError(reason.removeprefix("CANCELLED: "), "a simpler expression", column=1)
    line, column, reason = int(found[1]), int(found[2]), found[3]
    unknown = _UNKNOWN.match(reason)
    if unknown is None:
        return RuleError(reason, "a CEL expression over the event", line=line, column=column)
    name = unknown[1]
    fault = f"there is no {name!r}{nearest(name, NAMES)}"
    column -= len(name.rpartition(".")[0])  # the engine points at the last dot
    return RuleError(fault, ", ".join(NAMES), line=line, column=column)


def _try(rule: Rule) -> None:
    full, empty = _made_up_events()
    try:
        rule.program.eval(empty.activation(rule.names))
        result = rule.program.eval(full.activation(rule.names))
    except RuntimeError as error:
        raise RuleError(
            f"cannot be worked out: {error}", "a simpler expression", column=1
        ) from None
    if result.type() not in (cel.Type.BOOL, cel.Type.ERROR):
        raise RuleError(_outcome(result), "an expression that is true or false", column=1)


def _outcome(result: cel.Value) -> str:
    if result.type() == cel.Type.ERROR:
        return str(result.value())
    return f"gives {result.type().name()}, not yes or no"


@cache
def _made_up_events() -> tuple[EventView, EventView]:
    texts = {name.rpartition(".")[2]: "text" for name in TEXTS}
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    fields = texts | {"time": moment, "amount": 1.5, "wait_s": 1, "talk_s": 1, "resolved": True}
    consent = {"consent": {"email": True, "sms": True, "webhook": True}}
    data = {
        "customer": fields | consent,
        "transaction": fields,
        "call": fields,
        "touchpoint": "text",
    }
    return event_view(fields, data), event_view({"time": moment}, {})
