"""The MCP server. Apps import the names below and nothing else of it."""

from mcpsite.mcp.database import in_database
from mcpsite.mcp.registry import Answer, ToolError, tool

__all__ = ["Answer", "ToolError", "in_database", "tool"]
