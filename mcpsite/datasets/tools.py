"""The tools of the tables that companies publish: each installed app says it in its module `published`."""

from mcpsite.core.contributions import modules

modules("published")
