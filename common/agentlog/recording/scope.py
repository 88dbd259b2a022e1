"""Which event the next one follows from: kept in the context, so that it goes along into tasks and threads."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar, Token, copy_context
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Announced(Protocol):
    """A call that is announced as soon as something is recorded under it."""

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
        self, owner: object, cause: str | None, call: Announced | None, outer: "Scope | None", held: bool
    ) -> None:
        self.owner, self.cause, self.call, self.outer, self.held = owner, cause, call, outer, held


_current: ContextVar[Scope | None] = ContextVar("agentlog_scope", default=None)

Held = Token[Scope | None]


def scope_of(owner: object) -> Scope | None:
    """The innermost scope of ``owner`` here."""
    scope = _current.get()
    while scope is not None and scope.owner is not owner:
        scope = scope.outer
    return scope


def enter(owner: object, cause: str | None, call: Announced | None) -> Held:
    """Begin a scope; ``leave`` ends it."""
    outer = _current.get()
    if outer is not None and not outer.held:
        outer = outer if outer.owner is owner else outer.outer
    return _current.set(Scope(owner, cause, call, outer, True))


def leave(held: Held) -> Scope | None:
    """End a scope, and whatever was begun in it; what held here until now can be gone on with by ``resume``."""
    last = _current.get()
    try:  # noqa: SIM105  suppress takes longer than all else here
        _current.reset(held)
    except ValueError:  # begun in another context, which it ends with
        pass
    return last


def resume(scope: Scope) -> Held:
    """Go on with a scope that was left; ``leave`` ends it."""
    return _current.set(scope)


def follow(owner: object, cause: str) -> None:
    """From here on, what ``owner`` records follows from ``cause``."""
    scope = _current.get()
    if scope is None or (not scope.held and scope.owner is not owner):
        _current.set(Scope(owner, cause, None, None, False))
    elif scope.owner is owner:
        _current.set(Scope(owner, cause, scope.call, scope.outer, scope.held))


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
