"""Declaring options once: what Typer needs is made from our own dataclasses of typed values."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_origin

import typer


def option(*names: str, help: str, metavar: str = "", panel: str | None = None, **settings: Any) -> Any:  # noqa: A002 -- Typer's own name
    """Declare an option; its environment variable follows from its long name (`--max-pdu`: DICOMTLS_MAX_PDU)."""
    long = next(name for name in names if name.startswith("--"))
    return typer.Option(
        *names,
        help=help,
        metavar=metavar,
        rich_help_panel=panel,
        envvar="DICOMTLS_" + long[2:].upper().replace("-", "_"),
        **settings,
    )


def expand_options(function: Callable[..., int]) -> Callable[..., int]:
    """Replace each parameter whose type is a dataclass of options by one option per field.

    The function receives the dataclass with everything in it. A field `from_environment`, where there is one,
    gets the names of the fields whose values came from the environment or the configuration, and a field
    `configuration` the configuration itself.
    """
    declared = inspect.signature(function).parameters.values()
    groups = {p.name: p.annotation for p in declared if is_dataclass(p.annotation)}

    @functools.wraps(function)
    def expanded(context: typer.Context, **values: Any) -> int:
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        grouped = {name: _gather(group, values, context) for name, group in groups.items()}
        return function(**values, **grouped)

    own_or_fields = (_fields_of(d.annotation) if d.name in groups else [_as_typer_has_it(d)] for d in declared)
    parameters = [parameter for some in own_or_fields for parameter in some]
    expanded.__annotations__ = {}
    expanded.__signature__ = inspect.Signature([_CONTEXT, *parameters])  # type: ignore[attr-defined]  # how inspect is told
    return expanded


CONFIGURATION = "dicomtls.configuration"
"""Where the context of a command holds the configuration that was read for it."""
ORIGIN = "dicomtls.origin"
"""Where it holds what says of a key of that in which file and line it is."""
_CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def _gather(group: Any, values: dict[str, Any], context: typer.Context) -> object:
    """Move the values that belong to one dataclass of options out of `values` and into it."""
    own = {parameter.name: values.pop(parameter.name) for parameter in _fields_of(group)}
    names = {field.name for field in fields(group)}
    if "from_environment" in names:
        own["from_environment"] = frozenset(name for name in own if _is_from_environment(context, name))
    if "configuration" in names and CONFIGURATION in context.meta:
        own["configuration"] = context.meta[CONFIGURATION]
    return group(**own)


def _is_from_environment(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name in {"ENVIRONMENT", "DEFAULT_MAP"}


def _fields_of(group: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        _as_typer_has_it(inspect.Parameter(field.name, kind, default=field.default, annotation=field.type))
        for field in fields(group)
        if get_origin(field.type) is Annotated
    ]


def _as_typer_has_it(parameter: inspect.Parameter) -> inspect.Parameter:
    """Many values are a tuple in our code and a list in Typer's, and Typer passes everything by name."""
    parameter = parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
    inner, *declared = get_args(parameter.annotation)
    if get_origin(inner) is not tuple:
        return parameter
    many: Any = list[get_args(inner)[0]]  # type: ignore[misc]  # a type made at run time
    default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return parameter.replace(annotation=Annotated[many, *declared], default=default)
