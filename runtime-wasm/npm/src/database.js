// Offsets of broadcasting consumers in a page, in IndexedDB: it is there in Workers, too, and one for all tabs of the origin.
//
// Each tab gets every message, so one of them keeps the offsets for all: who has the lock, which ends with its tab, whatever ends that.
// The next one takes over then.

const NAME = "stgclient";
const STORE = "offsets";
/** What browsers say where a site may keep nothing: for pages of no origin, and where the user's settings forbid it. */
const FORBIDDEN = ["SecurityError", "UnknownError"];

/** Those that keep something. */
const databases = new Set();
/** The page is frozen: its locks go to others. */
export let restDatabases;
/** It goes on, and stands in line again. */
export let wakeDatabases;

export class Database {
  #opened;
  /** What becomes of those that are loaded, by key. */
  #held = new Map();

  /** Nothing, where the browser keeps nothing: that is the user's choice, and no fault. That nothing can be saved will be told. */
  async load(key) {
    const held = {};
    databases.add(this);
    this.#held.set(key, held);
    await this.#lock(key, held);
    try {
      return await this.#do("readonly", (store) => store.get(key));
    } catch (error) {
      if (!FORBIDDEN.includes(error.name)) throw error;
    }
  }

  async save(key, text) {
    const held = this.#held.get(key);
    if (held.isOurs) return this.#put(key, text);
    held.unsaved = text;
  }

  close(key) {
    this.#held.get(key)?.release?.();
    this.#held.delete(key);
    if (this.#held.size > 0) return;
    databases.delete(this);
    // Once what is under way is written.
    this.#opened?.then((database) => database.close()).catch(() => {});
    this.#opened = undefined;
  }

  /** While the page is frozen, another tab keeps the offsets: a lock would stay with it. */
  #rest() {
    for (const held of this.#held.values()) {
      held.isOurs = false;
      // Others will be further by then.
      held.unsaved = undefined;
      held.release?.();
    }
  }

  #goOn() {
    this.#held.forEach((held, key) => this.#lock(key, held));
  }

  static {
    restDatabases = () => databases.forEach((one) => one.#rest());
    wakeDatabases = () => databases.forEach((one) => one.#goOn());
  }

  /** Takes the lock, or stands in line for it. Pages that are not secure have no locks: there who writes last has kept it. */
  async #lock(key, held) {
    const took = (decided) => () => {
      // Closed by now.
      if (this.#held.get(key) !== held) return decided?.();
      held.isOurs = true;
      if (held.unsaved !== undefined) this.#put(key, held.unsaved).catch(() => {});
      decided?.();
      return new Promise((resolve) => (held.release = resolve));
    };
    const without = () => void (held.isOurs = true);
    if (!navigator.locks) return without();
    const name = `${NAME} ${key}`;
    const isFree = await new Promise((decide) => {
      const take = took(() => decide(true));
      navigator.locks.request(name, { ifAvailable: true }, (lock) => (lock ? take() : decide(false))).catch(() => decide());
    });
    if (isFree === undefined) return without();
    if (isFree) return;
    const leaving = new AbortController();
    held.release = () => leaving.abort();
    navigator.locks.request(name, { signal: leaving.signal }, took()).catch(() => {});
  }

  #put(key, text) {
    return this.#do("readwrite", (store) => store.put(text, key));
  }

  async #do(mode, ask) {
    const database = await this.#open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const asked = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = () => {
        const error = transaction.error ?? asked.error;
        // Some have no words, such as that there is no room.
        reject(error.message ? error : new Error(error.name));
      };
      // At once: a page that is closed would take back what it has not committed.
      transaction.commit();
    });
  }

  #open() {
    this.#opened ??= new Promise((resolve, reject) => {
      if (!globalThis.indexedDB) throw new DOMException("there is no IndexedDB here", "SecurityError");
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
      asked.onerror = () => reject(asked.error);
      asked.onsuccess = () => {
        const database = asked.result;
        // The user has removed it, or somebody else wants to.
        database.onclose = () => (this.#opened = undefined);
        database.onversionchange = () => {
          database.close();
          this.#opened = undefined;
        };
        resolve(database);
      };
    }).catch((error) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }
}
