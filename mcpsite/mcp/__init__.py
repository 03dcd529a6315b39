"""The MCP server. Apps import the names below and nothing else from it."""

from mcpsite.mcp.arguments import shown
from mcpsite.mcp.database import in_database
from mcpsite.mcp.menus import Entry, Resources, menus, prompt
from mcpsite.mcp.registry import Answer, ToolError, add_tool, tool
from mcpsite.mcp.views import View
from mcpsite.mcp.writing import share

__all__ = [
    "Answer",
    "Entry",
    "Resources",
    "ToolError",
    "View",
    "add_tool",
    "in_database",
    "menus",
    "prompt",
    "share",
    "shown",
    "tool",
]
