import { bounds, type BoundName } from './bounds.js';
import { schemaExcess } from './schema-size.js';

/** `bound` null: what it would take cannot be told. */
export interface LarkExcess {
  readonly bound: BoundName | null;
  readonly what: string;
}

/** Where the JSON object that begins at `start` ends. */
function objectEnd(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === '\\') at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{') depth++;
    else if (char === '}' && --depth <= 0) return at + 1;
  }
  return text.length;
}

/** Schemas that a grammar holds (`%json {...}`); null when one cannot be read. Each `%json` counts, whatever it seems to be part of. */
function schemasIn(text: string): unknown[] | null {
  const schemas: unknown[] = [];
  for (const { index, 0: mark } of text.matchAll(/%json\s*/g)) {
    const start = index + mark.length;
    if (text[start] !== '{' || schemas.length === bounds.grammarIntersectionsMax) return null;
    try {
      schemas.push(JSON.parse(text.slice(start, objectEnd(text, start))));
    } catch {
      return null;
    }
  }
  return schemas;
}

/** Why a Lark grammar would take too long to compile; null when it would not. */
export function larkExcess(text: string): LarkExcess | null {
  const schemas = schemasIn(text);
  if (!schemas)
    return {
      bound: null,
      what: `after each '%json' a JSON object must follow, and there may be ${bounds.grammarIntersectionsMax} of them; a schema alone can be sent as 'guided_json'`,
    };
  const excess = schemaExcess(schemas);
  if (excess) return { bound: excess.bound, what: `in its '%json', ${excess.what}` };
  const count = text.split('&').length - 1;
  if (count <= bounds.grammarIntersectionsMax) return null;
  return {
    bound: 'grammarIntersectionsMax',
    what: `it has ${count} '&', those in texts and comments too; at most ${bounds.grammarIntersectionsMax} are allowed. Write '\\x26' in texts, or intersect fewer terminals`,
  };
}
