"""A prompt that shows what `probe_scoped` shows, and names no scope of its own."""

from typing import Annotated

from pydantic import Field

from mcpsite.access.caller import Caller
from mcpsite.mcp import prompt


def words_like(_: Caller, typed: str) -> list[str]:
    """Completions."""
    return [word for word in ("alpha", "beta") if typed in word]


@prompt(title="Probe", permission="auth.view_user", complete={"word": words_like})
def probe_prompt(word: Annotated[str, Field(description="A word")]) -> str:
    """Ask something."""
    return f"What is {word}?"
