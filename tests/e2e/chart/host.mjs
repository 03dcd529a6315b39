/** A chat as far as a view sees it: a real client of the server, and the bridge of ext-apps to a sandboxed frame. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { AppBridge, PostMessageTransport, getToolUiResourceUri } from '@modelcontextprotocol/ext-apps/app-bridge'

const UI = 'io.modelcontextprotocol/ui'
const MIME = 'text/html;profile=mcp-app'
/** What a host lets a view do that asks for nothing (MCP Apps, default policy). */
const POLICY = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
  "img-src 'self' data:; media-src 'self' data:; connect-src 'none'; base-uri 'none'"

async function connect({ url, token, modern }) {
  const client = new Client(
    { name: 'a chat', version: '1' },
    { capabilities: { extensions: { [UI]: { mimeTypes: [MIME] } } },
      versionNegotiation: { mode: modern ? 'auto' : 'legacy' } },
  )
  const requestInit = { headers: { Authorization: `Bearer ${token}` } }
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }))
  return client
}

/** Shows the tool's view for these arguments; `result` stands in for the server's answer where given. */
window.open_view = async ({ site, name, args, context, tools = true, result, cancelled }) => {
  const client = await connect(site)
  const tool = (await client.listTools()).tools.find((each) => each.name === name)
  const [page] = (await client.readResource({ uri: getToolUiResourceUri(tool) })).contents
  if (page.mimeType !== MIME) throw new Error(`a view of type ${page.mimeType}`)
  if (Object.values(page._meta.ui.csp).flat().length) throw new Error('the view wants other hosts')
  const frame = document.querySelector('iframe')
  const bridge = new AppBridge(tools ? client : null, { name: 'a chat', version: '1' },
    tools ? { serverTools: {} } : {}, { hostContext: { toolInfo: { tool }, ...context } })
  window.bridge = bridge
  window.sizes = []
  bridge.addEventListener('sizechange', ({ height }) => {
    window.sizes.push(height)
    frame.style.height = `${height}px`
  })
  const ready = new Promise((resolve) => bridge.addEventListener('initialized', resolve))
  await bridge.connect(new PostMessageTransport(frame.contentWindow, frame.contentWindow))
  frame.srcdoc = page.text.replace('<head>', `<head><meta http-equiv="Content-Security-Policy" content="${POLICY}">`)
  await ready
  await bridge.sendToolInput({ arguments: args })
  if (cancelled) return bridge.sendToolCancelled({ reason: cancelled })
  await bridge.sendToolResult(result ?? await client.callTool({ name, arguments: args }))
  return { version: client.getNegotiatedProtocolVersion?.(), appInfo: bridge.getAppVersion() }
}
