"""Functions recorded whenever they are called: the decorators' common part."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .generators import record_async_generator, record_generator
from .span import Span

BeginSpan = Callable[[dict[str, Any]], Span]
"""Makes a span of the arguments that the function was called with, by their names."""


def record_function(function: Any, begin_span: BeginSpan) -> Any:
    """``function``, sync or async, a generator of either kind or a method of any kind, each call of it a span."""
    if isinstance(function, classmethod | staticmethod):
        return type(function)(record_function(function.__func__, begin_span))
    name_arguments = _make_argument_namer(function)

    def start_span(args: Any, kwargs: Mapping[str, Any]) -> Span:
        return begin_span(name_arguments(args, kwargs))

    if inspect.isasyncgenfunction(function):
        return record_async_generator(function, start_span)
    if inspect.isgeneratorfunction(function):
        return record_generator(function, start_span)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            return await start_span(args, kwargs).run(lambda: function(*args, **kwargs))

        return async_wrapper

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return start_span(args, kwargs).run(lambda: function(*args, **kwargs))

    return wrapper


def get_function_name(function: Any) -> str:
    """What a function, or an object that is called like one, is called: of a partial the function in it."""
    if isinstance(function, functools.partial):
        return get_function_name(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _make_argument_namer(function: Callable[..., Any]) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """A function that names arguments as ``function`` does; ``self`` and ``cls`` are left out."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # of a function in C that doesn't tell
        parameters = []
    names = [one.name for one in parameters if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    has_self = names[:1] in (["self"], ["cls"])

    def name_arguments(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        if has_self:
            arguments.pop(names[0], None)
        if len(args) > len(names):
            arguments["args"] = args[len(names) :]
        return arguments

    return name_arguments
