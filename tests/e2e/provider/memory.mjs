// What the provider remembers, for as long as its process lives, whatever becomes of its configuration.

const kept = new Map() // by model and id: {payload, until}

export class Memory {
  constructor(model) {
    this.model = model
  }

  #key = (id) => `${this.model}:${id}`

  async upsert(id, payload, seconds) {
    kept.set(this.#key(id), { payload, until: seconds ? Date.now() + seconds * 1000 : Infinity })
  }

  async find(id) {
    const found = kept.get(this.#key(id))
    return found && found.until > Date.now() ? found.payload : undefined
  }

  async findByUid(uid) {
    const prefix = this.#key('')
    for (const [key, { payload, until }] of kept) {
      if (key.startsWith(prefix) && payload.uid === uid && until > Date.now()) return payload
    }
  }

  async consume(id) {
    kept.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000)
  }

  async destroy(id) {
    kept.delete(this.#key(id))
  }

  async revokeByGrantId(grantId) {
    for (const [key, { payload }] of kept) {
      if (payload.grantId === grantId) kept.delete(key)
    }
  }
}
