"""Functions recorded whenever they are called: the decorators' common part."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .generators import recorded_async_generator, recorded_generator
from .span import Span

Begin = Callable[[dict[str, Any]], Span]
"""Makes a span of the arguments that the function was called with, by their names."""


def decorated(function: Any, begin: Begin) -> Any:
    """``function``, sync or async, a generator of either kind or a method of any kind, each call of it a span."""
    if isinstance(function, classmethod | staticmethod):
        return type(function)(decorated(function.__func__, begin))
    arguments = _arguments_of(function)

    def started(args: Any, kwargs: Mapping[str, Any]) -> Span:
        return begin(arguments(args, kwargs))

    if inspect.isasyncgenfunction(function):
        return recorded_async_generator(function, started)
    if inspect.isgeneratorfunction(function):
        return recorded_generator(function, started)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def waiting(*args: Any, **kwargs: Any) -> Any:
            return await started(args, kwargs).run(lambda: function(*args, **kwargs))

        return waiting

    @functools.wraps(function)
    def calling(*args: Any, **kwargs: Any) -> Any:
        return started(args, kwargs).run(lambda: function(*args, **kwargs))

    return calling


def name_of(function: Any) -> str:
    """What a function, or an object that is called like one, is called: of a partial the function in it."""
    if isinstance(function, functools.partial):
        return name_of(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _arguments_of(function: Callable[..., Any]) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A function that names arguments as ``function`` does; ``self`` and ``cls`` are left out."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of a function in C that doesn't tell
        parameters = []
    names = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    bound = names[:1] in (["self"], ["cls"])

    def named(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        if bound:
            given.pop(names[0], None)
        if len(args) > len(names):
            given["args"] = args[len(names) :]
        return given

    return named
