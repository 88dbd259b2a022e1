"""A tool's commands: functions whose parameters are their options, made into a command line by typer."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperGroup
from typer.models import ParameterInfo

from ..errors import UsageError
from ..home import expand_home

Function = Callable[..., None]
MAX_NUMBER = 2**53
"""An option's number that is larger counts as this one."""
_HELP_WIDTH = 80


def new_app(help_text: str, *functions: Function) -> TyperGroup:
    """Make a tool's command line; its help lists the commands in this order.

    A command is named after its function, without a ``_`` at the end. Its help is the function's docstring, whose first
    sentence stands in the tool's help. A parameter whose type is a NamedTuple is a group: its fields are the options.
    """
    app = typer.Typer(
        help=help_text,
        callback=lambda: None,  # with a callback, a tool of one command is called by the command's name too
        no_args_is_help=True,
        context_settings={"help_option_names": ["--help", "-h"], "max_content_width": _HELP_WIDTH},
        rich_markup_mode=None,  # rich takes 0.1 s to load, and drops what stands in square brackets
        pretty_exceptions_enable=False,
    )
    for function in functions:
        app.command(function.__name__.rstrip("_"))(expand_groups(function))
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)  # noqa: S101  for the type checker: with a callback it is one
    return group


def expand_groups(function: Function) -> Function:
    """Return a function that takes the fields of its groups as parameters, in place of the groups."""
    hints = _get_hints(function)
    parameters = inspect.signature(function).parameters

    @wraps(function)
    def expanded(**values: Any) -> None:
        function(**{name: _gather_value(name, hints[name], values) for name in parameters})

    options = [option for name in parameters for option in _expand(name, hints[name], parameters[name].default)]
    expanded.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return expanded


def _expand(name: str, hint: Any, default: object) -> Iterator[inspect.Parameter]:
    if _is_group(hint):
        for field, field_hint in _get_hints(hint).items():
            yield from _expand(field, field_hint, hint._field_defaults.get(field, inspect.Parameter.empty))
    else:
        yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=_as_list(hint))


def _gather_value(name: str, hint: Any, values: Mapping[str, Any]) -> Any:
    if _is_group(hint):
        fields = _get_hints(hint).items()
        return hint(**{field: _gather_value(field, field_hint, values) for field, field_hint in fields})
    info = next((each for each in get_args(hint)[1:] if isinstance(each, ParameterInfo)), None)
    if _is_repeatable(hint):
        return tuple(_check_value(name, info, value) for value in values[name])
    return _check_value(name, info, values[name])


def _check_value(name: str, info: ParameterInfo | None, value: Any) -> Any:
    """Return an option's value, the path of a file without ``~``, a number that is too large for us cut.

    Raises:
        UsageError: it is empty, or no number.
    """
    if value == "" or (isinstance(value, float) and math.isnan(value)):
        wrong = "is empty: is a variable of your shell not set?" if value == "" else "takes a number, not nan"
        raise UsageError(f"{_get_flag(info) or name} {wrong}")
    if info is not None and info.metavar == "FILE" and str(value).startswith("~"):
        return type(value)(expand_home(value))
    return min(value, MAX_NUMBER) if type(value) is int else value


def _get_flag(info: ParameterInfo | None) -> str | None:
    """Return an option's long name, or an argument's placeholder."""
    if info is None:
        return None
    names = [info.default, *(info.param_decls or ())]  # in Annotated, typer takes the first name for a default
    flags = [name for name in names if isinstance(name, str) and name.startswith("--")]
    return flags[0] if flags else (info.metavar or "").removesuffix("...")


def _get_hints(owner: Any) -> dict[str, Any]:
    return get_type_hints(owner, include_extras=True)


def _is_group(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def _is_repeatable(hint: Any) -> bool:
    return get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) is tuple


def _as_list(hint: Any) -> Any:
    """Return the type that typer wants for a repeatable option. Ours is a tuple, so that a default can't change."""
    if not _is_repeatable(hint):
        return hint
    values, *options = get_args(hint)
    return Annotated[(list[get_args(values)[0]], *options)]  # type: ignore[misc]
