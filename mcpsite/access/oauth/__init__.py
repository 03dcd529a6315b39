"""The built-in authorization server: what signs people in where there is no identity provider.

django-oauth-toolkit keeps the clients, codes and tokens and speaks OAuth through oauthlib; the modules
here narrow both to what an MCP client needs (the code flow with PKCE S256, refresh tokens that rotate,
one resource) and make its access tokens such that `mcpsite.access.tokens` verifies them like anybody's.
"""
