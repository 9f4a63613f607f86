"""Rules of triggers: CEL text, compiled and tried at load, behind one small interface."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache

from cel_expr_python import cel

from shared.programme.faults import NotAccepted, nearest
from shared.programme.views import NAMES, TEXTS, EventView, environment, event_view

__all__ = ["EventView", "Rule", "RuleError", "RuleFailed", "compile_rule", "event_view"]

LONGEST_RULE = 2_000
_FAULT = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_UNKNOWN = re.compile(r"undeclared reference to '([^']+)'")
_QUIET = re.compile(r"""//[^\n]*|'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*[\"]""", re.DOTALL)
_STEP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(|[()]")


class RuleError(NotAccepted):
    """A rule cannot be used; carries line and column in its text, counted from 1."""


class RuleFailed(Exception):
    """A rule gave no answer on one event."""


@dataclass(frozen=True)
class Rule:
    """A compiled rule."""

    text: str
    program: cel.Expression = field(repr=False, compare=False)

    def matches(self, view: EventView) -> bool:
        """Whether the rule holds. Raises RuleFailed where it has no yes or no."""
        try:
            result = self.program.eval(view.activation)
        except RuntimeError as error:
            raise RuleFailed(str(error)) from None
        if result.type() != cel.Type.BOOL:
            raise RuleFailed(_outcome(result))
        return result.value() is True


def compile_rule(text: object) -> Rule:
    """Compile a rule and try it on two made-up events. Raises RuleError."""
    if not isinstance(text, str) or not text.strip():
        raise RuleError(
            f"{text!r} is not a rule", "a CEL expression such as event.call.talk_s >= 30"
        )
    if len(text) > LONGEST_RULE:
        raise RuleError(f"has {len(text)} characters", f"at most {LONGEST_RULE}")
    _refuse_nested_loops(text)
    try:
        program = environment().compile(text)
    except (RuntimeError, TypeError) as error:
        raise _explained(str(error)) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        kind = program.return_type().name()
        raise RuleError(f"gives {kind}, not yes or no", "an expression that is true or false")
    rule = Rule(text, program)
    _try(rule)
    return rule


def _refuse_nested_loops(text: str) -> None:
    """One loop walks at most what the rule or the event lists; loops in loops multiply."""
    code = _QUIET.sub(lambda match: " " * len(match[0]), text)
    open_loops: list[bool] = []
    for step in _STEP.finditer(code):
        if step[0] == ")":
            open_loops[-1:] = []
            continue
        is_loop = step[0] != "("
        if is_loop and any(open_loops):
            line, column = (
                text.count("\n", 0, step.start()) + 1,
                step.start() - text.rfind("\n", 0, step.start()),
            )
            raise RuleError(
                "has a loop inside a loop", "one loop at a time", line=line, column=column
            )
        open_loops.append(is_loop)


def _explained(message: str) -> RuleError:
    found = _FAULT.search(message)
    if found is None:
        return RuleError(
            message.removesuffix(" [CANCELLED]").removeprefix("CANCELLED: "), "a simpler expression"
        )
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
        rule.program.eval(empty.activation)
        result = rule.program.eval(full.activation)
    except RuntimeError as error:
        raise RuleError(f"cannot be worked out: {error}", "a simpler expression") from None
    if result.type() not in (cel.Type.BOOL, cel.Type.ERROR):
        raise RuleError(_outcome(result), "an expression that is true or false")


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
