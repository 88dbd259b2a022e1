"""The current parent event, in a context variable. Tasks inherit it; threads get it through ``carry``."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import ContextVar, Token, copy_context
from typing import Any, ParamSpec, Protocol, TypeVar

import msgspec

P = ParamSpec("P")
T = TypeVar("T")


class EnclosingCall(Protocol):
    """A call that is announced as soon as an event is recorded under it.

    Attributes:
        sets_cause: whether it is the parent of the agent's next event.
        is_gone: whether it ended in a place where its scope couldn't be closed. A context that still has this scope
            skips it.
    """

    sets_cause: bool
    is_gone: bool

    def announce(self) -> None:
        """Record its ``call_started``, once."""
        ...


class Scope(msgspec.Struct, eq=False):
    """A stretch of code in which one recorder's events have the same parent.

    Attributes:
        owner: the recorder. Scopes of several recorders may be nested.
        cause: the ``event_id`` of the parent.
        call: the innermost open call, or None.
        outer: the scope around it, or None.
        is_block: whether it ends with a ``with`` block. A loose scope stays until the next event replaces it.
    """

    owner: object
    cause: str | None
    call: EnclosingCall | None
    outer: "Scope | None"
    is_block: bool


_current: ContextVar[Scope | None] = ContextVar("agentlog_scope", default=None)

ScopeToken = Token[Scope | None]


def find_scope(owner: object) -> Scope | None:
    """Return the innermost scope of ``owner`` in this context, or None."""
    scope = _current.get()
    while scope is not None and (scope.owner is not owner or (scope.call is not None and scope.call.is_gone)):
        scope = scope.outer
    return scope


def _skip_gone(scope: Scope | None) -> Scope | None:
    """Return the first scope, from ``scope`` outwards, whose call isn't gone."""
    while scope is not None and scope.call is not None and scope.call.is_gone:
        scope = scope.outer
    return scope


def enter_scope(owner: object, cause: str | None, call: EnclosingCall | None) -> ScopeToken:
    """Open a scope. ``leave_scope`` closes it."""
    return _current.set(Scope(owner, cause, call, _skip_gone(_current.get()), True))


def leave_scope(token: ScopeToken, call: EnclosingCall | None = None) -> Scope | None:
    """Close a scope and all scopes opened inside it.

    Args:
        token: what ``enter_scope`` or ``resume_scope`` returned.
        call: the call whose block ends. A block in a generator may end in another context, or before a block that
            began later. Then the call is marked as gone.

    Returns:
        the scope that was current until now; ``resume_scope`` makes it current again.
    """
    left_scope = current = _current.get()
    try:
        _current.reset(token)
    except (ValueError, RuntimeError):  # opened in another context, or already closed
        current = None
    if call is not None:
        current = _skip_gone(current)
        if current is None or current.call is not call:
            call.is_gone = not call.sets_cause
    return left_scope


def resume_scope(scope: Scope) -> ScopeToken:
    """Make a closed scope current again. ``leave_scope`` closes it."""
    return _current.set(scope)


def set_cause(owner: object, cause: str | None) -> None:
    """Make ``cause`` the parent of the next events of ``owner`` in this context. Other recorders keep their parents."""
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


def open_cause(owner: object, root: str | None) -> Scope | None:
    """Begin a stretch in this context whose cause can still be changed from another context, by ``Scope.cause``.

    Args:
        owner: the recorder.
        root: the cause, if this context has none.
    """
    scope = find_scope(owner)
    set_cause(owner, root if scope is None else scope.cause)
    return find_scope(owner)


def carry(function: Callable[P, T]) -> Callable[P, T]:
    """Return ``function`` bound to the current context, so that a thread records under the current parent.

    threading.Thread(target=carry(work)).start()
    """
    context = copy_context()

    def carried(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return carried


class ContextThreadPoolExecutor(ThreadPoolExecutor):
    """A thread pool whose work is recorded under the parent that was current when it was submitted."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Submit ``fn`` together with the current context."""
        return super().submit(copy_context().run, fn, *args, **kwargs)


class TracerBinding:
    """A stretch of code in which a tracer is the current one.

    Attributes:
        tracer: the tracer.
        outer: the binding around it, or None.
        is_gone: whether it ended in a context in which it couldn't be undone. Then it is passed over.
    """

    __slots__ = ("is_gone", "outer", "token", "tracer")

    def __init__(self, tracer: Any, outer: "TracerBinding | None") -> None:
        self.tracer, self.outer, self.is_gone = tracer, outer, False
        self.token: Token[TracerBinding | None]


_bound: ContextVar[TracerBinding | None] = ContextVar("agentlog_tracer", default=None)


def bind_tracer(tracer: Any) -> TracerBinding:
    """Make ``tracer`` the current one in this context. ``unbind_tracer`` ends that."""
    binding = TracerBinding(tracer, _bound.get())
    binding.token = _bound.set(binding)
    return binding


def unbind_tracer(binding: TracerBinding) -> None:
    """Make the tracer before it the current one again."""
    binding.is_gone = True
    with suppress(ValueError, RuntimeError):  # bound in another context: what is gone is passed over there
        _bound.reset(binding.token)


def find_bound_tracer() -> Any:
    """Return the current tracer of this context, or None."""
    binding = _bound.get()
    while binding is not None and binding.is_gone:
        binding = binding.outer
    return None if binding is None else binding.tracer
