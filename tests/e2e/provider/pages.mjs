// The provider's pages, plain on purpose: a browser and an HTTP client both get through them.

const escaped = (text) => String(text).replace(/[&<>"]/g, (found) => `&#${found.charCodeAt(0)};`)

const page = (title, body) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>${escaped(title)}</title></head>
<body><main><h1>${escaped(title)}</h1>${body}</main></body></html>`

export const login = (fault = '') =>
  page(
    'Company sign-in',
    `<p role="alert">${escaped(fault)}</p><form method="post">
      <p><label>Username <input name="username" autocomplete="username" autofocus></label></p>
      <p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>
      <p><button>Sign in</button> <button name="cancel" value="true">Cancel</button></p>
    </form>`,
  )

export const consent = (client, person) =>
  page(
    `Connect ${client}`,
    `<p>${escaped(client)} asks to act for ${escaped(person)}.</p><form method="post">
      <p><button name="allow" value="true">Connect</button> <button name="cancel" value="true">Cancel</button></p>
    </form>`,
  )

// `form` is oidc-provider's own, empty but for its token; the button names it.
export const signOut = (form) =>
  page(
    'Sign out of the company?',
    `${form}<button form="op.logoutForm" name="logout" value="yes">Sign out</button>
     <button form="op.logoutForm">Stay signed in</button>`,
  )

export const signedOut = () => page('Signed out', '<p>You are signed out of the company.</p>')
