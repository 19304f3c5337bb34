// Clips from the server to decoded buffers, and the next trial's ahead of time.

import { retry } from "./retry.js";

/** A clip that arrived and cannot be decoded. */
export class BrokenClipError extends Error {
  constructor(index) {
    super(`clip ${index} cannot be decoded`);
    this.index = index;
  }
}

export class Material {
  constructor(api, context, onDelay) {
    Object.assign(this, { api, context, onDelay, ahead: new Map() });
  }

  /** Decoded buffers of the clips, in their order; `onLoaded` gets how many there are. */
  async load(clips, onLoaded) {
    let n = 0;
    return Promise.all(
      clips.map(async (clip) => {
        const buffer = await this.#decode(clip);
        onLoaded((n += 1));
        return buffer;
      }),
    );
  }

  /** Fetch these quietly; what fails is fetched again when it is needed. */
  prefetch(urls) {
    this.ahead = new Map(urls.map((url) => [url, this.api.clip(url).catch(() => null)]));
  }

  async #decode({ index, url }) {
    const bytes = (await this.ahead.get(url)) ?? (await this.#fetch(url));
    try {
      // Decoding takes the bytes away, so that a page that loads again fetches again.
      this.ahead.delete(url);
      return await this.context.decodeAudioData(bytes);
    } catch {
      throw new BrokenClipError(index);
    }
  }

  #fetch(url) {
    return retry(() => this.api.clip(url), this.onDelay);
  }
}
