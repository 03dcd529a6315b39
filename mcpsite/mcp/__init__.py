"""The MCP server. Apps import the names below and nothing else of it."""

from mcpsite.mcp.database import in_database
from mcpsite.mcp.menus import Entry, Resources, menus, prompt
from mcpsite.mcp.registry import Answer, ToolError, tool

__all__ = ["Answer", "Entry", "Resources", "ToolError", "in_database", "menus", "prompt", "tool"]
