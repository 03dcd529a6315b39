// A company's identity provider on loopback: `provider.mjs '{"port": 9000, …}'`, told what to do by lines of
// JSON on its standard input. `{"set": {…}}` changes any of the settings below, `{"listen": false}` takes it
// off the network and `true` brings it back; sessions, clients and grants stay. One line answers each.
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { errors, Provider } from 'oidc-provider'
import { Memory } from './memory.mjs'
import { consent, login, signOut, signedOut } from './pages.mjs'

const settings = {
  port: 0,
  accounts: {}, // by login name: {password, name, email, email_verified, groups}
  groupsClaim: 'groups', // in ID tokens, at userinfo and in access tokens
  clients: [], // the company's own applications, as client metadata; they are not asked for consent
  resources: [], // addresses that access tokens may be for; the first is for clients that name none
  registration: true,
  keys: ['first'], // names of the signing keys, the one that signs first
  seconds: {}, // how long things live, by oidc-provider's names of them: Session, AccessToken, IdToken …
  delay: 0, // seconds before each answer
  ...JSON.parse(process.argv[2] ?? '{}'),
}
console.info = console.error // The library's notices; standard output is for answers.
const SCOPES = ['openid', 'offline_access', 'profile', 'email', 'data:read']
const made = {} // keys, by name

const keyNamed = (name) =>
  (made[name] ??= {
    ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
    kid: name,
    alg: 'RS256',
    use: 'sig',
  })

const claimsOf = ({ name, email, email_verified = true, groups }) => ({
  name,
  email,
  email_verified,
  [settings.groupsClaim]: groups,
})
const subjectOf = (loginName) => `person-${loginName}`
const accountOf = (subject) => settings.accounts[subject.replace(/^person-/, '')]
const isOurs = (client) => settings.clients.some(({ client_id }) => client_id === client.clientId)

function configuration() {
  return {
    adapter: Memory,
    jwks: { keys: settings.keys.map(keyNamed) },
    clients: settings.clients,
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'] },
    cookies: { keys: ['a key that outlives a new configuration'] },
    scopes: SCOPES,
    claims: {
      openid: ['sub', settings.groupsClaim],
      profile: ['name'],
      email: ['email', 'email_verified'],
    },
    conformIdTokenClaims: false,
    findAccount: (_, accountId) =>
      accountOf(accountId) && {
        accountId,
        claims: () => ({ sub: accountId, ...claimsOf(accountOf(accountId)) }),
      },
    extraTokenClaims: (_, token) => ({
      [settings.groupsClaim]: accountOf(token.accountId)?.groups,
    }),
    pkce: { required: () => true },
    // To every client that registered the grant, whether or not it asked for offline_access.
    issueRefreshToken: (_, client) => client.grantTypeAllowed('refresh_token'),
    expiresWithSession: () => false,
    clientBasedCORS: () => true,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: (ctx) => (isOurs(ctx.oidc.client) ? grantOurs(ctx) : grantedBefore(ctx)),
    ttl: { Interaction: 600, Session: 3600, Grant: 86_400, IdToken: 600, AccessToken: 600, ...settings.seconds },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: settings.registration },
      revocation: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => void (ctx.body = signOut(form)),
        postLogoutSuccessSource: (ctx) => void (ctx.body = signedOut()),
      },
      resourceIndicators: {
        enabled: true,
        // The company's own applications read userinfo with their access token: theirs stays opaque.
        defaultResource: (_, client, oneOf) => oneOf ?? (isOurs(client) ? undefined : settings.resources[0]),
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (!settings.resources.includes(resource)) throw new errors.InvalidTarget()
          return {
            audience: resource,
            scope: SCOPES.join(' '),
            accessTokenFormat: 'jwt',
            accessTokenTTL: settings.seconds.AccessToken,
            jwt: { sign: { alg: 'RS256' } },
          }
        },
      },
    },
  }
}

const grantedBefore = ({ oidc }) => {
  const id = oidc.result?.consent?.grantId ?? oidc.session.grantIdFor(oidc.client.clientId)
  return id && oidc.provider.Grant.find(id)
}

async function grantOurs({ oidc }) {
  const { accountId } = oidc.session
  const grant = new oidc.provider.Grant({ clientId: oidc.client.clientId, accountId })
  grant.addOIDCScope(SCOPES.join(' '))
  await grant.save()
  return grant
}

let provider
let answer

function configure() {
  provider = new Provider(`http://127.0.0.1:${settings.port}`, configuration())
  answer = provider.callback()
}

async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response)
  const page = (html, status = 200) => response.writeHead(status, { 'Content-Type': 'text/html' }).end(html)
  const finish = (result) =>
    provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true })
  if (request.method !== 'POST') {
    if (prompt.name === 'login') return page(login())
    const client = await provider.Client.find(params.client_id)
    return page(consent(client.clientName ?? client.clientId, session.accountId))
  }
  const form = new URLSearchParams(await new Response(request).text())
  if (form.has('cancel')) return finish({ error: 'access_denied', error_description: 'the person said no' })
  if (prompt.name === 'login') {
    const account = settings.accounts[form.get('username')]
    if (!account || account.password !== form.get('password')) return page(login('Name or password is wrong.'), 400)
    return finish({ login: { accountId: subjectOf(form.get('username')) } })
  }
  const grant = new provider.Grant({ clientId: params.client_id, accountId: session.accountId })
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = prompt.details
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '))
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims)
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    grant.addResourceScope(resource, scopes.join(' '))
  }
  return finish({ consent: { grantId: await grant.save() } })
}

const server = createServer(async (request, response) => {
  try {
    if (settings.delay) await sleep(settings.delay * 1000)
    await (request.url.startsWith('/interaction/') ? interact(request, response) : answer(request, response))
  } catch (error) {
    response.writeHead(error.status ?? 500, { 'Content-Type': 'text/plain' }).end(`${error.message}\n`)
  }
})

const listen = () =>
  new Promise((resolve, reject) => server.once('error', reject).listen(settings.port, '127.0.0.1', resolve))
const hangUp = () =>
  new Promise((resolve) => {
    server.close(resolve)
    server.closeAllConnections()
  })

await listen()
settings.port = server.address().port
configure()
console.log(JSON.stringify({ issuer: provider.issuer }))
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line)
  if ('set' in told) {
    Object.assign(settings, told.set)
    configure()
  }
  if ('listen' in told && told.listen !== server.listening) await (told.listen ? listen() : hangUp())
  console.log(JSON.stringify({ listening: server.listening }))
}
process.exit(0)
