from django.apps import AppConfig
from django.core.checks import Tags, register


class McpConfig(AppConfig):
    name = "mcpsite.mcp"
    label = "mcp"
    verbose_name = "MCP"

    def ready(self) -> None:
        from mcpsite.checks import CLIENTS
        from mcpsite.mcp.checks import check_names

        register(check_names, CLIENTS, Tags.security, deploy=True)
