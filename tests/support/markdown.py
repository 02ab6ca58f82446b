"""The code blocks of a Markdown text: fenced ones with their language, and indented ones, which show a shell."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"#+ +(.*)")
_FENCE = re.compile(r"```(\w*)$")
_PROMPT = "$ "
_INDENT = "    "


@dataclass
class Block:
    """One block: the heading above it, its language (empty: a shell), its lines without the indentation."""

    section: str
    language: str
    lines: list[str]

    @property
    def text(self) -> str:
        """The lines as they stand there."""
        return "".join(f"{line}\n" for line in self.lines)

    def commands(self) -> list[list[str]]:
        """The command lines of a shell's block, as words; where there are prompts, only what stands behind them."""
        lines = self.text.replace("\\\n", " ").splitlines()
        typed = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)] or lines
        return [words for line in typed if (words := shlex.split(line, comments=True))]

    def output(self) -> list[str]:
        """What a block with prompts shows as the answers."""
        return [line for line in self.lines if line and not line.startswith(_PROMPT)]


def blocks(text: str) -> list[Block]:
    """All code blocks, in their order."""
    return list(_blocks(text.splitlines()))


def _blocks(lines: list[str]) -> Iterator[Block]:
    section, current, is_fenced = "", None, False
    for line in lines:
        fence = _FENCE.match(line)
        if is_fenced and current is not None:
            if fence:
                yield current
                current, is_fenced = None, False
            else:
                current.lines.append(line)
        elif line.startswith(_INDENT) or (current is not None and not line):
            current = current or Block(section, "", [])
            current.lines.append(line.removeprefix(_INDENT))
        else:
            if current is not None:
                yield current
            current, is_fenced = (Block(section, fence[1], []), True) if fence else (None, False)
            heading = _HEADING.match(line)
            section = heading[1] if heading else section
    if current is not None:
        yield current
