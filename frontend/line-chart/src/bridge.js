/**
 * The view's side of MCP Apps (2026-01-26): JSON-RPC with the chat that shows this page in a frame.
 *
 * Written out, because the package's own `App` brings 650 KB of schemas and sign-in for a few messages.
 */
export class Bridge {
  #calls = new Map();
  #next = 1;
  #handlers;

  /** `handlers` are functions by the method of a notification, each of which gets its `params`. */
  constructor(handlers) {
    this.#handlers = handlers;
    addEventListener("message", ({ source, data }) => {
      if (source === parent && data?.jsonrpc === "2.0") this.#receive(data);
    });
  }

  /** Shakes hands; resolves with what the host says of itself: `{hostCapabilities, hostContext}`. */
  async connect(appInfo) {
    const params = { appInfo, appCapabilities: {}, protocolVersion: "2026-01-26" };
    const host = await this.request("ui/initialize", params);
    this.notify("ui/notifications/initialized");
    return host;
  }

  request(method, params) {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#send({ id, method, params });
    });
  }

  notify(method, params = {}) {
    this.#send({ method, params });
  }

  #send(message) {
    // A sandboxed frame cannot know its host's origin; what is sent is no secret.
    parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #receive({ id, method, params, result, error }) {
    if (method === undefined) {
      const call = this.#calls.get(id);
      this.#calls.delete(id);
      if (error) call?.reject(new Error(error.message));
      else call?.resolve(result);
    } else if (id === undefined) this.#handlers[method]?.(params ?? {});
    else if (method === "ping" || method === "ui/resource-teardown") this.#send({ id, result: {} });
    else this.#send({ id, error: { code: -32601, message: "Method not found" } });
  }
}
