// One JavaScript client's whole dance: `dance.mjs v1|v2 URL ISSUER`. The person is on the other side of the pipe:
// each line out is {"open": address}; each line in is the query that came back to the client.
import { createInterface } from 'node:readline'

const [version, url, issuer] = process.argv.slice(2)
const { Client, StreamableHTTPClientTransport, UnauthorizedError } =
  version === 'v1'
    ? {
        ...(await import('@modelcontextprotocol/sdk/client/index.js')),
        ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')),
        ...(await import('@modelcontextprotocol/sdk/client/auth.js')),
      }
    : await import('@modelcontextprotocol/client')

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (message) => process.stdout.write(JSON.stringify(message) + '\n')

const kept = { opened: 0 }
const provider = {
  redirectUrl: 'http://localhost:51764/callback',
  clientMetadata: {
    client_name: `TypeScript client ${version}`,
    redirect_uris: ['http://localhost:51764/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  state: () => 'state-of-the-client',
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  codeVerifier: () => kept.verifier,
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  discoveryState: () => kept.discovery,
  saveDiscoveryState: (state) => void (kept.discovery = state),
  redirectToAuthorization: (address) => {
    kept.opened += 1
    say({ open: String(address) })
  },
}

async function connected() {
  for (;;) {
    const transport = new StreamableHTTPClientTransport(new URL(url), { authProvider: provider })
    const client = new Client({ name: `typescript-${version}`, version: '1' })
    try {
      await client.connect(transport)
      return client
    } catch (error) {
      if (!(error instanceof UnauthorizedError)) throw error
      const back = new URLSearchParams((await lines.next()).value)
      await transport.finishAuth(version === 'v1' ? back.get('code') : back)
    }
  }
}

let client = await connected()
const { tools } = await client.listTools()
const called = await client.callTool({ name: 'airfare_trend_insights', arguments: { limit: 2 } })
await client.close()

// A token that the server no longer takes: the client refreshes by itself.
const first = kept.tokens
kept.tokens = { ...first, access_token: first.access_token.slice(0, -4) + 'AAAA' }
client = await connected()
const again = await client.callTool({ name: 'airfare_trend_insights', arguments: { limit: 1 } })
await client.close()

const endpoints = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()
const revoked = await fetch(endpoints.revocation_endpoint, {
  method: 'POST',
  body: new URLSearchParams({ token: kept.tokens.refresh_token, client_id: kept.client.client_id }),
})
const refused = await fetch(endpoints.token_endpoint, {
  method: 'POST',
  body: new URLSearchParams({
    grant_type: 'refresh_token',
    refresh_token: kept.tokens.refresh_token,
    client_id: kept.client.client_id,
  }),
})
say({
  tools: tools.map((tool) => tool.name),
  rows: called.structuredContent.rows_returned,
  rowsAfterRefresh: again.structuredContent.rows_returned,
  refreshed: kept.tokens.access_token !== first.access_token,
  opened: kept.opened,
  scope: first.scope,
  revoked: revoked.status,
  refused: (await refused.json()).error,
})
process.exit(0)
