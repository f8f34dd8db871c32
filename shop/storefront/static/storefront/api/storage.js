/**
 * Where the client keeps what must outlive a page: `read(name)` and `write(name, value or null)`.
 *
 * Values are plain data. A browser's storage may be full or forbidden: then what was written is
 * remembered until the page is left, and no longer.
 */

export function memoryStorage() {
  const kept = new Map();
  return {
    read: (name) => kept.get(name) ?? null,
    write: (name, value) => (value === null ? kept.delete(name) : kept.set(name, value)),
  };
}

/** `localStorage`, which tabs share, or `sessionStorage`, which they do not. */
export function webStorage(storage, prefix = "scarce/") {
  const memory = memoryStorage();
  return {
    read(name) {
      try {
        const text = storage.getItem(prefix + name);
        return text === null ? memory.read(name) : JSON.parse(text);
      } catch {
        return memory.read(name);
      }
    },
    write(name, value) {
      try {
        if (value === null) storage.removeItem(prefix + name);
        else storage.setItem(prefix + name, JSON.stringify(value));
        memory.write(name, null);
      } catch {
        memory.write(name, value);
      }
    },
  };
}

/** A mini-program's storage. */
export function wxStorage(wx, prefix = "scarce/") {
  return {
    read: (name) => wx.getStorageSync(prefix + name) || null,
    write: (name, value) =>
      value === null ? wx.removeStorageSync(prefix + name) : wx.setStorageSync(prefix + name, value),
  };
}
