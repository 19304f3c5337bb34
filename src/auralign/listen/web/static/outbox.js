// Answers on their way: kept on this device until the server says that they are stored.

import { retry } from "./retry.js";
import { openStore } from "./storage.js";

const SETTLED = [404, 409, 422];

/** A name that nobody else makes; also without TLS, where there is no randomUUID. */
export function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export class Outbox {
  /** `onDelay` gets the error for which an answer has to wait, and null when it is sent. */
  static async open(api, session, onDelay) {
    return new Outbox(await openStore(), api, session, onDelay);
  }

  constructor(store, api, session, onDelay) {
    Object.assign(this, { store, api, session, onDelay, sending: 0 });
    addEventListener("beforeunload", (event) => {
      if (this.sending > 0) event.preventDefault();
    });
  }

  /** The receipt of an answer. It is kept under a key of its own before it is sent. */
  async send(trial, answer) {
    const entry = { key: randomName(), session: this.session, trial, answer };
    // An answer that cannot be kept can still be sent.
    await this.store.put(entry).catch(() => null);
    return this.#deliver(entry);
  }

  /** Send what an earlier page of this sitting left; what the server refuses is settled too. */
  async sendWaiting() {
    const entries = await this.store.all().catch(() => []);
    for (const entry of entries.filter(({ session }) => session === this.session)) {
      await this.#deliver(entry).catch((error) => {
        if (!SETTLED.includes(error.status)) throw error;
      });
    }
  }

  async #deliver({ key, trial, answer }) {
    this.sending += 1;
    try {
      const receipt = await retry(
        () => this.api.post(`/api/trials/${trial}/answer`, { key, ...answer }),
        this.onDelay,
      );
      await this.#forget(key);
      return receipt;
    } catch (error) {
      if (SETTLED.includes(error.status)) await this.#forget(key);
      throw error;
    } finally {
      this.sending -= 1;
    }
  }

  async #forget(key) {
    // If this fails, the answer is sent once more and the server gives the same receipt.
    await this.store.remove(key).catch(() => null);
  }
}
