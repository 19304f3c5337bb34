// What the page asks the server; docs/listen-api.md says what it answers.

const TIMEOUT_MS = 20_000;
const CLIP_TIMEOUT_MS = 180_000;
const PASSING = [0, 413, 429];

/** A refusal, or with status 0 no answer at all. `details` are facts beside the message. */
export class ApiError extends Error {
  constructor(status, code, message, details = {}) {
    super(message);
    Object.assign(this, { status, code, details });
  }

  /** Whether the same request may succeed later. */
  get passing() {
    return PASSING.includes(this.status) || this.status >= 500;
  }
}

export class Api {
  constructor(csrf, tab) {
    this.headers = { "X-CSRF-Token": csrf, "X-Tab": tab };
  }

  async get(path) {
    return readJson(await request(path, { headers: this.headers }));
  }

  async post(path, sent, options = {}) {
    const headers = { ...this.headers, "Content-Type": "application/json" };
    const body = JSON.stringify(sent);
    return readJson(await request(path, { method: "POST", headers, body, ...options }));
  }

  /** The bytes of a clip. */
  async clip(url) {
    const response = await request(url, { signal: AbortSignal.timeout(CLIP_TIMEOUT_MS) });
    if (!response.ok) return readJson(response);
    return reading(response.arrayBuffer());
  }
}

function request(path, options) {
  return reading(fetch(path, { signal: AbortSignal.timeout(TIMEOUT_MS), ...options }));
}

async function readJson(response) {
  if (response.status === 204) return null;
  const document = await reading(response.text()).then(parsed);
  if (response.ok && document !== undefined) return document;
  const { code = "unknown", message = "", ...details } = document?.error ?? {};
  const told = message || `The server answered with an error (${response.status}).`;
  throw new ApiError(response.ok ? 502 : response.status, code, told, details);
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The promise, whose failure means that the network did not carry it. */
async function reading(promise) {
  try {
    return await promise;
  } catch (error) {
    throw new ApiError(0, "no_answer", `There is no connection to the server (${error.name}).`);
  }
}
