from django.apps import AppConfig
from django.core.checks import Tags, register


class McpConfig(AppConfig):
    name = "mcpsite.mcp"
    label = "mcp"
    verbose_name = "MCP"

    def ready(self) -> None:
        from mcpsite.access import readers  # needs the models
        from mcpsite.core.checks import CLIENTS
        from mcpsite.mcp.checks import check_names
        from mcpsite.mcp.menus import permissions_needed

        readers.add_source(permissions_needed)
        register(check_names, CLIENTS, Tags.security, deploy=True)
