"""Which event the next one follows from: kept in the context, so that it goes along into tasks and threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, Token, copy_context
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Around(Protocol):
    """A call that is announced as soon as something is recorded under it.

    Attributes:
        leads_on: whether what the agent does next follows from it.
        is_gone: whether it ended where its scope couldn't be taken back: who still has that is not under it.
    """

    leads_on: bool
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
        held: whether it ends with a ``with`` block; a loose one is there only because something was recorded.
    """

    __slots__ = ("call", "cause", "held", "outer", "owner")

    def __init__(
        self, owner: object, cause: str | None, call: Around | None, outer: "Scope | None", held: bool
    ) -> None:
        self.owner, self.cause, self.call, self.outer, self.held = owner, cause, call, outer, held


_current: ContextVar[Scope | None] = ContextVar("agentlog_scope", default=None)

Held = Token[Scope | None]


def scope_of(owner: object) -> Scope | None:
    """The innermost scope of ``owner`` here."""
    scope = _current.get()
    while scope is not None and (scope.owner is not owner or (scope.call is not None and scope.call.is_gone)):
        scope = scope.outer
    return scope


def _present(scope: Scope | None) -> Scope | None:
    """The first scope, from ``scope`` outwards, that isn't gone."""
    while scope is not None and scope.call is not None and scope.call.is_gone:
        scope = scope.outer
    return scope


def enter(owner: object, cause: str | None, call: Around | None) -> Held:
    """Begin a scope; ``leave`` ends it."""
    return _current.set(Scope(owner, cause, call, _present(_current.get()), True))


def leave(held: Held, call: Around | None = None) -> Scope | None:
    """End a scope, and whatever was begun in it; what held here until now can be gone on with by ``resume``.

    Args:
        call: whose block ends; in a generator it may end in another context, or before a block that began later.
    """
    last = inner = _current.get()
    try:
        _current.reset(held)
    except (ValueError, RuntimeError):  # begun in another context, which it ends with; or left before
        inner = None
    if call is not None:
        inner = _present(inner)
        if inner is None or inner.call is not call:
            call.is_gone = not call.leads_on
    return last


def resume(scope: Scope) -> Held:
    """Go on with a scope that was left; ``leave`` ends it."""
    return _current.set(scope)


def follow(owner: object, cause: str) -> None:
    """From here on, what ``owner`` records follows from ``cause``; what other tracers record isn't touched."""
    scope, others = _present(_current.get()), list[Scope]()
    while scope is not None and scope.held and scope.owner is not owner:
        others.append(scope)
        scope = _present(scope.outer)
    if scope is not None and scope.owner is owner:
        scope = Scope(owner, cause, scope.call, scope.outer, scope.held)
    else:
        scope = Scope(owner, cause, None, None, False)
    for other in reversed(others):
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
