"""The scripts that teach a shell to ask us at each TAB.

Typer has such scripts too. That for bash tears words at colons (`rsa:2048`), that for fish runs the program twice for
each TAB, that for zsh is no file for `$fpath`, and all are answered by importing everything. Ours say nothing where
the program cannot be run: a TAB is no place for an error.
"""

from typing import Final

from dicomtls.errors import UsageError

VARIABLE: Final = "_DICOMTLS_COMPLETE"
"""What is asked for: source_SHELL or complete_SHELL."""
LINE: Final = "_DICOMTLS_COMPLETE_LINE"
"""The command line, up to the cursor where the shell can tell."""
WORD: Final = "_DICOMTLS_COMPLETE_WORD"
"""The word that is being completed, from a shell that cannot."""

FILE_NAMES: Final = {"bash": "dicomtls.bash", "zsh": "_dicomtls", "fish": "dicomtls.fish", "powershell": "dicomtls.ps1"}
"""As each shell wants its file to be called."""

_BASH: Final = """_dicomtls_completion() {
    local IFS=$'\\n' line=${COMP_LINE:0:COMP_POINT} begun breaks=${COMP_WORDBREAKS//[^:=]/}
    COMPREPLY=( $( @LINE@="$line" @VARIABLE@=complete_bash "$1" 2>/dev/null ) )
    # To readline what follows a colon or an equals sign is a word of its own.
    begun=${line##*[[:space:]]}
    if [[ -n $breaks && $begun == *[$breaks]* ]]; then
        begun=${begun%"${begun##*[$breaks]}"}
        COMPREPLY=( "${COMPREPLY[@]#"$begun"}" )
    fi
}

complete -o default -F _dicomtls_completion dicomtls
"""
_ZSH: Final = """#compdef dicomtls

_dicomtls_completion() {
  eval $(env @LINE@="${words[1,$CURRENT]}" @VARIABLE@=complete_zsh dicomtls 2>/dev/null)
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _dicomtls_completion "$@"
else
  compdef _dicomtls_completion dicomtls
fi
"""
_FISH: Final = """function _dicomtls_completion
    set --local line (commandline -cp)
    set --local answers (env @VARIABLE@=complete_fish @LINE@="$line" dicomtls 2>/dev/null)
    if test (count $answers) -gt 0
        printf '%s\\n' $answers
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command dicomtls --no-files --arguments '(_dicomtls_completion)'
"""
_POWERSHELL: Final = """Import-Module PSReadLine
Set-PSReadLineKeyHandler -Chord Tab -Function MenuComplete
$scriptblock = {
    param($wordToComplete, $commandAst, $cursorPosition)
    $Env:@VARIABLE@ = "complete_powershell"
    $Env:@LINE@ = $commandAst.ToString()
    $Env:@WORD@ = $wordToComplete
    dicomtls 2>$null | ForEach-Object {
        $word, $meaning = $_ -Split ":::", 2
        [System.Management.Automation.CompletionResult]::new($word, $word, 'ParameterValue', $meaning)
    }
    $Env:@VARIABLE@ = ""
    $Env:@LINE@ = ""
    $Env:@WORD@ = ""
}
Register-ArgumentCompleter -Native -CommandName dicomtls -ScriptBlock $scriptblock
"""
_NAMES: Final = "bash, zsh, fish and powershell"
_SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH, "powershell": _POWERSHELL, "pwsh": _POWERSHELL}


def script(shell: str) -> str:
    """Return the script for a shell; raises `UsageError` for one that we do not know."""
    if shell not in _SCRIPTS:
        raise no_such_shell(shell)
    found = _SCRIPTS[shell]
    for name, value in {"@VARIABLE@": VARIABLE, "@LINE@": LINE, "@WORD@": WORD}.items():
        found = found.replace(name, value)
    return found


def no_such_shell(shell: str) -> UsageError:
    """What to raise for a shell that we do not know."""
    return UsageError(f"no completion for the shell {shell!r}", hints=(f"there is completion for {_NAMES}",))


def no_such_instruction(instruction: str) -> UsageError:
    """What to raise for an instruction that is none."""
    hint = f"it is source_SHELL or complete_SHELL; SHELL is {_NAMES}"
    return UsageError(f"cannot read {VARIABLE}={instruction}", hints=(hint,))
