"""What a shell's TAB gets: the words that may stand where the cursor is.

It reads the line itself, by `completion_table`, which is made of the commands: importing what they are declared with
would take four times as long as the rest, and a TAB is pressed all the time. What only a run can know (peers,
keywords) is found by `candidates`.
"""

import os
from collections.abc import Callable, Iterable
from typing import Final

from dicomtls.cli import candidates, completion_table
from dicomtls.cli.candidates import Words, beginning
from dicomtls.cli.completion_scripts import LINE, WORD, no_such_instruction, no_such_shell, script

_ZSH_SPECIAL: Final = str.maketrans({'"': None, "'": None, "$": None, "`": None, "\\": None, ":": r"\\:"})
"""The words go through two rounds of evaluation; our own texts can do without what has a meaning there."""


def answer(instruction: str) -> str:
    """Return what the shell asked for by `source_SHELL` or `complete_SHELL`; raises `UsageError`."""
    action, _, shell = instruction.partition("_")
    if action == "source":
        return script(shell)
    if action != "complete":
        raise no_such_instruction(instruction)
    if shell not in _SHELLS:
        raise no_such_shell(shell)
    return _SHELLS[shell](words_for(*_typed()))


def words_for(before: list[str], begun: str) -> Words:
    """Return what the word that has been `begun` may become behind the words `before` it, the program's left out."""
    command, arguments = _command_of(before)
    if command in completion_table.GROUPS:
        return beginning(begun, _OF_GROUPS if begun.startswith("-") else completion_table.GROUPS[command])
    return _Line(command, arguments).words(begun) if command in completion_table.COMMANDS else []


_OF_GROUPS: Final[Words] = [(name, text) for names, text, _, _ in completion_table.GROUP_OPTIONS for name in names]


def _command_of(before: list[str]) -> tuple[str, list[str]]:
    """The command that the line has come to, and what stands behind its name; one that does not exist is as it is."""
    command = ""
    for number, word in enumerate(before):
        if command not in completion_table.GROUPS:
            return command, before[number:]
        if not word.startswith("-"):
            command = f"{command} {word}".lstrip()
    return command, []


class _Line:
    """What stands behind the name of a command: how far its arguments have come, and which options are there."""

    def __init__(self, command: str, arguments: list[str]) -> None:
        keys, self._arguments = completion_table.COMMANDS[command]
        self._options = [completion_table.OPTIONS[key] for key in keys]
        self._by_name = {name: option for option in self._options for name in option[0]}
        self.given: dict[str, str] = {}
        self._count = 0
        self._is_closed = False
        self._pending: str | None = None
        for word in arguments:
            self._read(word)

    def _read(self, word: str) -> None:
        if self._pending is not None:
            self.given[self._pending] = word
            self._pending = None
        elif self._is_closed or not word.startswith("-") or word == "-":
            self._count += 1
        elif word == "--":
            self._is_closed = True
        else:
            self._read_option(word)

    def _read_option(self, word: str) -> None:
        name, equals, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
        if name not in self._by_name:
            return
        names, _, takes, _ = self._by_name[name]
        self.given[names[0]] = value
        if takes is not None and not equals:
            self._pending = names[0]

    def words(self, begun: str) -> Words:
        """What the next word may be."""
        if self._pending is not None:
            return self._values(self._by_name[self._pending][2], begun)
        if begun.startswith("-") and not self._is_closed:
            name, equals, value = begun.partition("=")
            if not equals:
                return beginning(begun, self._names())
            takes = self._by_name[name][2] if name in self._by_name else None
            return [(f"{name}={word}", text) for word, text in self._values(takes, value)]
        number = min(self._count, len(self._arguments) - 1)
        takes, takes_many = self._arguments[number] if self._arguments else (None, False)
        return self._values(takes, begun) if takes_many or number == self._count else []

    def _names(self) -> Words:
        """The options that may still be given."""
        return [
            (name, text)
            for names, text, _, is_repeatable in self._options
            if is_repeatable or names[0] not in self.given
            for name in names
        ]

    def _values(self, takes: completion_table.Takes, begun: str) -> Words:
        """Values of an option or an argument; none where the shell knows better (paths), or nobody (numbers)."""
        if not isinstance(takes, str):
            return beginning(begun, takes or ())
        return candidates.BY_NAME[takes](begun, self.given)


def _typed() -> tuple[list[str], str]:
    """The words of the line behind the program's name, and the one that is being completed."""
    line = os.environ.get(LINE, "")
    words = _split(line)
    # What a shell sets for the program alone may stand before its name: A=1 dicomtls ...
    words = words[1 + next((number for number, word in enumerate(words) if "=" not in word), 0) :]
    begun = os.environ.get(WORD)
    if begun is not None:
        return (words[:-1] if begun else words), begun
    return (words, "") if not words or line[-1].isspace() else (words[:-1], words[-1])


def _split(line: str) -> list[str]:
    """The words as a shell would have them; a quote that is still open, or a last backslash, ends with the line."""
    import shlex

    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        words.extend(lexer)
    except ValueError:
        words.append(lexer.token)
    return words


def _lines(words: Iterable[str]) -> str:
    """A line each; nothing at all where there is nothing: PowerShell stumbles over an empty line."""
    return "".join(f"{word}\n" for word in words)


def _bash(words: Words) -> str:
    return _lines(word for word, _ in words)


def _zsh(words: Words) -> str:
    quoted = (":".join(f'"{text.translate(_ZSH_SPECIAL)}"' for text in pair if text) for pair in words)
    return f"_arguments '*: :(({_lines(quoted).rstrip()}))'\n" if words else "_files\n"


def _fish(words: Words) -> str:
    return _lines("\t".join(part for part in pair if part) for pair in words)


def _powershell(words: Words) -> str:
    return _lines(f"{word}:::{text or ' '}" for word, text in words)


_SHELLS: Final[dict[str, Callable[[Words], str]]] = {
    "bash": _bash,
    "zsh": _zsh,
    "fish": _fish,
    "powershell": _powershell,
    "pwsh": _powershell,
}
