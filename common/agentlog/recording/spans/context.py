"""Which event the next one follows from: kept in the context, so that it goes along into tasks and threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, Token, copy_context
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class EnclosingCall(Protocol):
    """A call that is announced as soon as something is recorded under it.

    Attributes:
        sets_cause: whether what the agent does next follows from it.
        is_gone: whether it ended where its scope couldn't be taken back: who still has that is not under it.
    """

    sets_cause: bool
    is_gone: bool

    def announce(self) -> None:
        """Record its ``call_started`` unless that was done."""
        ...


class Scope:
    """What holds in a stretch of one tracer's agent.

    Attributes:
        owner: the tracer; scopes of several tracers may be nested.
        cause: the ``event_id`` that the next event follows from.
        call: the innermost call that is open, or None.
        outer: the scope around it.
        is_block: whether it ends with a ``with`` block; a loose one is there only because something was recorded.
    """

    __slots__ = ("call", "cause", "is_block", "outer", "owner")

    def __init__(
        self, owner: object, cause: str | None, call: EnclosingCall | None, outer: "Scope | None", is_block: bool
    ) -> None:
        self.owner, self.cause, self.call, self.outer, self.is_block = owner, cause, call, outer, is_block


_current: ContextVar[Scope | None] = ContextVar("agentlog_scope", default=None)

ScopeToken = Token[Scope | None]


def find_scope(owner: object) -> Scope | None:
    """The innermost scope of ``owner`` here."""
    scope = _current.get()
    while scope is not None and (scope.owner is not owner or (scope.call is not None and scope.call.is_gone)):
        scope = scope.outer
    return scope


def _skip_gone(scope: Scope | None) -> Scope | None:
    """The first scope, from ``scope`` outwards, that isn't gone."""
    while scope is not None and scope.call is not None and scope.call.is_gone:
        scope = scope.outer
    return scope


def enter_scope(owner: object, cause: str | None, call: EnclosingCall | None) -> ScopeToken:
    """Begin a scope; ``leave_scope`` ends it."""
    return _current.set(Scope(owner, cause, call, _skip_gone(_current.get()), True))


def leave_scope(token: ScopeToken, call: EnclosingCall | None = None) -> Scope | None:
    """End a scope, and whatever was begun in it; what held here until now can be gone on with by ``resume_scope``.

    Args:
        call: whose block ends; in a generator it may end in another context, or before a block that began later.
    """
    left_scope = current = _current.get()
    try:
        _current.reset(token)
    except (ValueError, RuntimeError):  # begun in another context, which it ends with; or left before
        current = None
    if call is not None:
        current = _skip_gone(current)
        if current is None or current.call is not call:
            call.is_gone = not call.sets_cause
    return left_scope


def resume_scope(scope: Scope) -> ScopeToken:
    """Go on with a scope that was left; ``leave_scope`` ends it."""
    return _current.set(scope)


def set_cause(owner: object, cause: str) -> None:
    """From here on, what ``owner`` records follows from ``cause``; what other tracers record isn't touched."""
    scope, outer_scopes = _skip_gone(_current.get()), list[Scope]()
    while scope is not None and scope.is_block and scope.owner is not owner:
        outer_scopes.append(scope)
        scope = _skip_gone(scope.outer)
    if scope is not None and scope.owner is owner:
        scope = Scope(owner, cause, scope.call, scope.outer, scope.is_block)
    else:
        scope = Scope(owner, cause, None, None, False)
    for other in reversed(outer_scopes):
        scope = Scope(other.owner, other.cause, other.call, scope, True)
    _current.set(scope)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """``function``, to be run elsewhere, such as in a thread, with the parents that hold here."""
    context = copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return carried


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A pool of threads whose work has the parents that held where it was submitted."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Submit ``fn`` together with the context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
