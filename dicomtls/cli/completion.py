"""What a shell's TAB gets: the scripts for four shells, and the completions that they ask the program for.

Typer's own classes run each option's help through rich, which takes longer than everything else and reads it as
markup. Of their scripts, that for bash tears words at colons (`rsa:2048`), that for fish runs the program twice for
each TAB, and that for zsh is no file for `$fpath`.
"""

from typing import ClassVar

from typer._click.shell_completion import CompletionItem, ShellComplete
from typer._completion_classes import FishComplete, PowerShellComplete, ZshComplete
from typer.core import TyperGroup

from dicomtls.errors import UsageError

VARIABLE = "_DICOMTLS_COMPLETE"
PROGRAM = "dicomtls"

_BASH_SCRIPT = """%(complete_func)s() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} begun
    COMPREPLY=( $( _TYPER_COMPLETE_ARGS="$line" %(autocomplete_var)s=complete_bash "$1" ) )
    # To readline what follows a colon is a word of its own.
    begun=${line##*[[:space:]]}
    if [[ $begun == *:* && $COMP_WORDBREAKS == *:* ]]; then
        begun=${begun%%"${begun##*:}"}
        COMPREPLY=( "${COMPREPLY[@]#"$begun"}" )
    fi
}

complete -o default -F %(complete_func)s %(prog_name)s
"""
_FISH_SCRIPT = """function %(complete_func)s
    set --local line (commandline -cp)
    set --local answers (env %(autocomplete_var)s=complete_fish _TYPER_COMPLETE_ARGS="$line" %(prog_name)s)
    if test (count $answers) -gt 0
        printf '%%s\\n' $answers
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command %(prog_name)s --no-files --arguments '(%(complete_func)s)'
"""
_ZSH_SCRIPT = """#compdef %(prog_name)s

%(complete_func)s() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" %(autocomplete_var)s=complete_zsh %(prog_name)s)
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  %(complete_func)s "$@"
else
  compdef %(complete_func)s %(prog_name)s
fi
"""
_ZSH_SPECIAL = str.maketrans({'"': None, "'": None, "$": None, "`": None, "\\": None, ":": r"\\:"})
"""The words go through two rounds of evaluation; our own texts can do without what has a meaning there."""


class _Bash(ZshComplete):
    """Asked as zsh asks, by the line so far; answered with a word a line."""

    source_template: ClassVar[str] = _BASH_SCRIPT

    def complete(self) -> str:
        return _lines_of(self)

    def format_completion(self, item: CompletionItem) -> str:
        return str(item.value)


class _Zsh(ZshComplete):
    source_template: ClassVar[str] = _ZSH_SCRIPT

    def format_completion(self, item: CompletionItem) -> str:
        return ":".join(f'"{text.translate(_ZSH_SPECIAL)}"' for text in (item.value, item.help) if text)


class _Fish(FishComplete):
    source_template: ClassVar[str] = _FISH_SCRIPT

    def complete(self) -> str:
        return _lines_of(self)

    def format_completion(self, item: CompletionItem) -> str:
        return "\t".join(text for text in (item.value, item.help) if text)


class _PowerShell(PowerShellComplete):
    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.value}:::{item.help or ' '}"


def _lines_of(shell: ShellComplete) -> str:
    found = shell.get_completions(*shell.get_completion_args())
    return "\n".join(map(shell.format_completion, found))


_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": _Bash,
    "zsh": _Zsh,
    "fish": _Fish,
    "powershell": _PowerShell,
    "pwsh": _PowerShell,
}


def script(group: TyperGroup, shell: str) -> str:
    """Return the script that teaches a shell to complete; raises `UsageError` for a shell that we do not know."""
    return _completer(group, shell).source().strip() + "\n"


def answer(group: TyperGroup, instruction: str) -> str:
    """Return what the shell asked for by `source_SHELL` or `complete_SHELL`; raises `UsageError`."""
    action, _, shell = instruction.partition("_")
    if action == "source":
        return script(group, shell)
    if action == "complete":
        # Nothing at all where there is nothing: PowerShell stumbles over an empty line.
        return "".join(f"{line}\n" for line in _completer(group, shell).complete().splitlines())
    msg = f"cannot read {VARIABLE}={instruction}"
    raise UsageError(msg, hints=(f"it is source_SHELL or complete_SHELL; SHELL is {_NAMES}",))


def _completer(group: TyperGroup, shell: str) -> ShellComplete:
    found = _SHELLS.get(shell)
    if found is None:
        msg = f"no completion for the shell {shell!r}"
        raise UsageError(msg, hints=(f"there is completion for {_NAMES}",))
    return found(group, {}, PROGRAM, VARIABLE)


_NAMES = "bash, zsh, fish and powershell"
