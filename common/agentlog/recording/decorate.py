"""Functions recorded whenever they are called: the decorators' common part."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

from .span import Span

P = ParamSpec("P")
T = TypeVar("T")

Begin = Callable[[dict[str, Any]], Span]
"""Makes a span of the arguments that the function was called with, by their names."""


def decorated(function: Callable[P, T], begin: Begin) -> Callable[P, T]:
    """``function``, sync or async or a generator of either kind, each call of it a span."""
    arguments = _arguments_of(function)

    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        def streaming(*args: P.args, **kwargs: P.kwargs) -> Any:
            return begin(arguments(args, kwargs)).astreamed(function(*args, **kwargs))

        return cast(Callable[P, T], streaming)
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def yielding(*args: P.args, **kwargs: P.kwargs) -> Any:
            return begin(arguments(args, kwargs)).streamed(function(*args, **kwargs))

        return cast(Callable[P, T], yielding)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: P.args, **kwargs: P.kwargs) -> Any:
            return await begin(arguments(args, kwargs)).run(lambda: function(*args, **kwargs))

        return cast(Callable[P, T], waiting)

    @functools.wraps(function)
    def calling(*args: P.args, **kwargs: P.kwargs) -> T:
        return begin(arguments(args, kwargs)).run(lambda: function(*args, **kwargs))

    return calling


def _arguments_of(function: Callable[..., Any]) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A function that names arguments; ``self`` and ``cls`` are left out."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return lambda args, kwargs: {"args": list(args), **kwargs}

    def named(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # the function itself will say so
            return {"args": list(args), **kwargs}
        return {name: value for name, value in given.items() if name not in ("self", "cls")}

    return named
