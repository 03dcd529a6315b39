"""The built-in authorization server, which signs people in if there is no identity provider.

django-oauth-toolkit stores the clients, codes and tokens and speaks OAuth through oauthlib; the modules
here narrow both to what an MCP client needs (the code flow with PKCE S256, refresh tokens that rotate,
one resource) and make access tokens that `mcpsite.access.tokens` verifies like any others.
"""
