"""How commands and groups of them are built; a command's module is imported when the command is run."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

import typer
from typer._click.core import Context, Parameter
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from dicomtls import __version__
from dicomtls.cli.configuring import config_option, configure
from dicomtls.cli.declaring import expand_options
from dicomtls.cli.help import command_help, group_help
from dicomtls.cli.output import write_page
from dicomtls.cli.usage import no_such_command, too_many_arguments
from dicomtls.errors import ExitStatus


class Entry(NamedTuple):
    """Where a command lives and what it does: enough to list it without importing it."""

    module: str
    help: str

    def load(self, name: str) -> "TyperCommand | LazyGroup":
        """Import the command's module and return the command, which has that name in it."""
        found = getattr(import_module(self.module), name.replace("-", "_"))
        assert isinstance(found, TyperCommand | LazyGroup)  # noqa: S101 -- our own table
        return found


def command(*, examples: Sequence[str]) -> Callable[[Callable[..., int]], TyperCommand]:
    """Make a command of a function that takes typed values and returns an exit status."""

    def make(function: Callable[..., int]) -> TyperCommand:
        app = typer.Typer(
            add_completion=False,
            rich_markup_mode=None,
            pretty_exceptions_enable=False,
            # A passphrase may stand in the locals.
            pretty_exceptions_show_locals=False,
        )
        name = function.__name__.replace("_", "-")
        settings = {"cls": _Command, "epilog": "\n".join(examples), "add_help_option": False}
        app.command(name, **settings)(expand_options(function))  # type: ignore[arg-type]  # values of several types
        made = get_command(app)
        assert isinstance(made, TyperCommand)  # noqa: S101 -- what `cls` asked for
        if _is_configured(made):
            made.params.append(config_option())
        made.params += _standard_options()
        return made

    return make


class _Command(TyperCommand):
    """A command with our help page."""

    # So that what is too much can be refused in our own words.
    allow_extra_args = True

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read the arguments; raises `UsageError` where some are left over, or the configuration is wrong."""
        if not ctx.resilient_parsing:
            configure(self, ctx, args)
        extra = super().parse_args(ctx, args)
        if extra and not ctx.resilient_parsing:
            raise too_many_arguments(extra, ctx.command_path)
        return extra

    def get_help(self, ctx: Context) -> str:
        """Return the help page."""
        return command_help(self, ctx)


class LazyGroup(TyperGroup):
    """A group that knows its commands by name, and imports the module of the one that is run."""

    def __init__(self, name: str, entries: Mapping[str, Entry], *, summary: str, examples: Sequence[str]) -> None:
        super().__init__(name=name, help=summary, add_help_option=False, params=_standard_options())
        self.entries = entries
        self.examples = examples

    def list_commands(self, ctx: Context) -> list[str]:  # noqa: ARG002 -- the base class's signature
        """Return the names of the commands."""
        return list(self.entries)

    def get_command(self, ctx: Context, cmd_name: str) -> "TyperCommand | LazyGroup | None":  # noqa: ARG002 -- as above
        """Import the command's module and return the command; None where there is none of that name."""
        entry = self.entries.get(cmd_name)
        return entry.load(cmd_name) if entry is not None else None

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Read what stands before the command's name; nothing at all gets the help page, as an error."""
        if not args and not ctx.resilient_parsing:
            write_page(self.get_help(ctx), failed=True)
            ctx.exit(ExitStatus.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: Context, args: list[str]
    ) -> tuple[str | None, TyperCommand | TyperGroup | None, list[str]]:
        """Find the command that the arguments name; raises `UsageError` with the nearest where there is none."""
        if args[0] not in self.entries and not ctx.resilient_parsing:
            raise no_such_command(args[0], ctx.command_path, list(self.entries))
        return args[0], self.get_command(ctx, args[0]), args[1:]

    def get_help(self, ctx: Context) -> str:
        """Return the help page."""
        return group_help(self, ctx)


def _is_configured(command: TyperCommand) -> bool:
    """Whether it speaks TLS to a peer or to clients: then it has this option."""
    return any(parameter.name == "profile" for parameter in command.params)


def _standard_options() -> list[Parameter]:
    return [
        _flag(["--version"], "print the version", lambda _: f"dicomtls {__version__}\n"),
        _flag(["-h", "--help"], "print this help", lambda context: context.get_help()),
    ]


def _flag(names: list[str], help_text: str, page: Callable[[Context], str]) -> TyperOption:
    """An option that prints something instead of running the command."""

    def print_page(context: Context, _parameter: Parameter, value: bool) -> None:
        if value and not context.resilient_parsing:
            write_page(page(context))
            context.exit()

    return TyperOption(
        param_decls=names,
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=print_page,
        help=help_text,
        rich_help_panel="Output",
    )
