"""The configuration's part in a command line: what it sets where neither an option nor the environment does."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from typer.core import TyperCommand, TyperOption

from dicomtls.cli.declaring import CONFIGURATION, ORIGIN
from dicomtls.cli.usage import ParserError
from dicomtls.config import Configuration, find_file, load
from dicomtls.errors import UsageError

if TYPE_CHECKING:
    from typer._click.core import Context

_OPTION: Final = "config"
_PEER = "peer"
_SEVERAL: Final = ("peers", "targets")
"""Arguments that take several peers."""
_FOR_SCRIPTS: Final = frozenset({"json", "quiet", "verbose"})
_NOT_SET_THERE: Final = frozenset({"from_environment", "configuration"})


def config_option() -> TyperOption:
    """`--config PATH`, for commands that a configuration can say something about."""
    from dicomtls.cli.options.values import NonEmptyPath  # by then a command has imported it

    return TyperOption(
        param_decls=["--config"],
        type=NonEmptyPath(path_type=Path),
        metavar="PATH",
        envvar="DICOMTLS_CONFIG",
        expose_value=False,
        help="configuration, in place of dicomtls.toml",
        rich_help_panel="Output",
    )


def configure(command: TyperCommand, context: "Context", arguments: list[str]) -> None:
    """Let the configuration set what the command line and the environment leave open; raises `UsageError`."""
    # The commands of `peers` have such an option too, and read the file themselves: one of them makes it.
    if not any(parameter.name == _OPTION and not parameter.expose_value for parameter in command.params):
        return
    values = _first_look(command, context, arguments)
    if values.get("help") or values.get("version"):  # a broken file must not stand in the way of them
        return
    given = values.get(_OPTION)
    path = find_file(Path(given) if isinstance(given, str) else None)
    configuration = load(path, known_keys()) if path is not None else Configuration()
    context.meta[CONFIGURATION] = configuration
    name = _only_peer(values, configuration, str(command.name))
    settings = _settings(configuration, name)
    if settings:
        context.meta[ORIGIN] = origin = partial(configuration.origin, name=name)
        context.default_map = _as_parameters(command, settings, origin)


def _only_peer(values: Mapping[str, object], configuration: Configuration, command: str) -> str | None:
    """Who is called; None for several, who then must not have settings of their own."""
    argument = next((name for name in _SEVERAL if name in values), _PEER)
    named = values.get(argument)
    names = [*named] if isinstance(named, tuple | list) else [named]
    if len(names) == 1:
        return str(names[0]) if names[0] else None
    own = [str(name) for name in names if str(name) in configuration.peers and configuration.peers[str(name)].settings]
    if own:
        msg = f"{own[0]} has settings of its own in {configuration.path}, and is not the only peer"
        others = f"dicomtls peers check {' '.join(map(str, names))}"
        alone = f"name it alone: dicomtls {command} {own[0]}"
        raise UsageError(msg, hints=(f"one after the other: {others}" if argument == "peers" else alone,))
    return None


def _settings(configuration: Configuration, name: str | None) -> Mapping[str, object]:
    """What holds for that peer: one that is spoken to in clear has no use for the defaults about TLS."""
    settings = configuration.settings_for(name)
    peer = configuration.peers.get(name or "")
    if peer is None or not peer.settings.get("no-tls"):
        return settings
    from dicomtls.cli.options.tls import TLSOptions

    about_tls = {field.name.replace("_", "-") for field in fields(TLSOptions)} - set(peer.settings)
    return {key: value for key, value in settings.items() if key not in about_tls}


def known_keys() -> frozenset[str]:
    """What the sections of a configuration may set: every option about TLS, associations and output."""
    from dicomtls.cli.options.association import AssociationOptions
    from dicomtls.cli.options.server_tls import ServerTLSOptions
    from dicomtls.cli.options.tls import TLSOptions

    groups: tuple[Any, ...] = (AssociationOptions, TLSOptions, ServerTLSOptions)
    names = {field.name for group in groups for field in fields(group)} - _NOT_SET_THERE
    return frozenset(name.replace("_", "-") for name in names) | _FOR_SCRIPTS


def _first_look(command: TyperCommand, context: "Context", arguments: list[str]) -> Mapping[str, object]:
    """What the command line names, before anything is converted: the file and the peer decide about the rest."""
    try:
        values, _, _ = command.make_parser(context).parse_args(args=list(arguments))
    except ParserError:  # it will be told when the arguments are read in earnest
        return {}
    return values


def _as_parameters(
    command: TyperCommand, settings: Mapping[str, object], origin: Callable[[str], str]
) -> dict[str, object]:
    """The settings by the names of the command's parameters; one value of many is a list of one.

    Raises `UsageError` for what a command line could not say either.
    """
    named = {key.replace("-", "_"): value for key, value in settings.items()}
    options = [one for one in command.params if isinstance(one, TyperOption) and one.name in named]
    return {str(one.name): _as_given(one, named[str(one.name)], origin) for one in options}


def _as_given(option: TyperOption, value: object, origin: Callable[[str], str]) -> object:
    key = max(option.opts, key=len).removeprefix("--")
    if isinstance(value, list) and not option.multiple:
        msg = f"{origin(key)} takes one value, not a list of {len(value)}"
        raise UsageError(msg, hints=(f'write it without brackets: {key} = "..."',))
    if isinstance(value, bool) and not option.is_flag and not option.count:
        msg = f"{origin(key)} takes a value, not {str(value).lower()}"
        raise UsageError(msg, hints=(f'write {key} = "...", or leave the line out',))
    return [value] if option.multiple and isinstance(value, str) else value
