/** A value as it may stand in an error message is no longer than this. */
const charsMax = 60;

/** Writes JSON until there is enough of it: a value of megabytes costs no more than the part that is shown. */
class ShortJson {
  text = '';

  /** Whether there is room for more. */
  #add(piece: string): boolean {
    this.text += piece;
    return this.text.length <= charsMax;
  }

  write(value: unknown): boolean {
    if (typeof value === 'string') return this.#add(JSON.stringify(value.slice(0, charsMax + 1)));
    if (typeof value !== 'object' || value === null) return this.#add(JSON.stringify(value) ?? typeof value);
    return Array.isArray(value) ? this.#list(value) : this.#members(value as Record<string, unknown>);
  }

  #list(values: readonly unknown[]): boolean {
    if (!this.#add('[')) return false;
    for (const [at, value] of values.entries()) {
      if (at > 0 && !this.#add(',')) return false;
      if (!this.write(value ?? null)) return false;
    }
    return this.#add(']');
  }

  #members(object: Readonly<Record<string, unknown>>): boolean {
    if (!this.#add('{')) return false;
    let first = true;
    for (const name in object) {
      if (object[name] === undefined) continue;
      if (!first && !this.#add(',')) return false;
      first = false;
      if (!this.write(name) || !this.#add(':') || !this.write(object[name])) return false;
    }
    return this.#add('}');
  }
}

const cut = (text: string): string => (text.length <= charsMax ? text : `${text.slice(0, charsMax - 3)}...`);

/** A value as it may stand in an error message: short, one line, no content of long texts. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const json = new ShortJson();
  json.write(value);
  return cut(json.text);
}

/** Names of members are the user's too. */
const nameCharsMax = 128;

/** A member's name as it may stand in an error message and in `param`. */
export const shownName = (name: string): string =>
  name.length <= nameCharsMax ? name : `${name.slice(0, nameCharsMax - 3)}...`;
