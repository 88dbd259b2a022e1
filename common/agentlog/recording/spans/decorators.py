"""The common part of the decorators, which record each call of a function."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from .generators import record_async_generator, record_generator
from .span import Span

BeginSpan = Callable[[dict[str, Any]], Span]
"""A function that makes a span from a call's arguments, by their names."""


def record_function(function: Any, begin_span: BeginSpan) -> Any:
    """Return ``function`` wrapped so that each call is a span.

    Args:
        function: a function or a generator function, sync or async, or a method of any kind.
        begin_span: makes the span of a call.
    """
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
    """Return the name of a function or callable object. A partial has the name of its function."""
    if isinstance(function, functools.partial):
        return get_function_name(function.func)
    return str(getattr(function, "__name__", type(function).__name__))


def _make_argument_namer(function: Callable[..., Any]) -> Callable[[Any, Mapping[str, Any]], dict[str, Any]]:
    """Return a function that maps the names of ``function``'s parameters to a call's arguments, without ``self``."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a C function may have no signature
        parameters = []
    names = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    has_self = names[:1] in (["self"], ["cls"])

    def name_arguments(args: Any, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {**dict(zip(names, args, strict=False)), **kwargs}
        if has_self:
            arguments.pop(names[0], None)
        if len(args) > len(names):
            arguments["args"] = args[len(names) :]
        return arguments

    return name_arguments
