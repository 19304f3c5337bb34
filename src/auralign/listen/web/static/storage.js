// Where answers wait: IndexedDB, or localStorage where a browser has none of it.

const NAME = "auralign-listen";
const TABLE = "answers";
const PATIENCE_MS = 3_000;

/** A store with `put(entry)`, `remove(key)` and `all()`; entries are known by their `key`. */
export async function openStore() {
  try {
    // Some browsers never say whether it opened.
    return new Database(await Promise.race([asPromise(openDatabase()), tooLate()]));
  } catch {
    return new Fallback();
  }
}

function openDatabase() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "key" });
  return request;
}

function tooLate() {
  return new Promise((_, reject) => setTimeout(reject, PATIENCE_MS, new Error("too late")));
}

function asPromise(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

class Database {
  constructor(database) {
    this.database = database;
  }

  put(entry) {
    return this.#change((table) => table.put(entry));
  }

  remove(key) {
    return this.#change((table) => table.delete(key));
  }

  all() {
    return asPromise(this.database.transaction(TABLE).objectStore(TABLE).getAll());
  }

  #change(work) {
    const transaction = this.database.transaction(TABLE, "readwrite", { durability: "strict" });
    work(transaction.objectStore(TABLE));
    return new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
    });
  }
}

/** localStorage, and memory where that is closed too, as in some private windows. */
class Fallback {
  constructor() {
    this.entries = new Map(Object.entries(read()));
  }

  async put(entry) {
    this.entries.set(entry.key, entry);
    this.#write();
  }

  async remove(key) {
    this.entries.delete(key);
    this.#write();
  }

  async all() {
    return [...this.entries.values()];
  }

  #write() {
    try {
      localStorage.setItem(NAME, JSON.stringify(Object.fromEntries(this.entries)));
    } catch {
      // Memory has it, and the page stays until it is sent.
    }
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(NAME) ?? "{}");
  } catch {
    return {};
  }
}
