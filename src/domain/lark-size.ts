import { bounds, type BoundName } from './bounds.js';
import { schemaExcess } from './schema-size.js';

/** `bound` null: what it would take cannot be bounded. */
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
    if (text[start] !== '{' || schemas.length === bounds.grammarSchemasMax) return null;
    try {
      schemas.push(JSON.parse(text.slice(start, objectEnd(text, start))));
    } catch {
      return null;
    }
  }
  return schemas;
}

/** What means nothing else than itself, as llguidance reads it: comments, texts, regular expressions, special tokens. */
const literal = /(?:\/\/|#)[^\n]*|"(?:\\.|[^"\\\n])*"|\/(?:\\.|[^/\\])+\/|<[^<>\s]+>/g;

/** `A & B`, and negations `~A`, by which the same can be said; not `A~3`, which repeats. */
const joined = /&|~(?!\s*\d)/;

/** Why a Lark grammar would take too long to compile; null when it would not. */
export function larkExcess(text: string): LarkExcess | null {
  const schemas = schemasIn(text);
  if (!schemas)
    return {
      bound: 'grammarSchemasMax',
      what: `after each '%json' a JSON object must follow, and at most ${bounds.grammarSchemasMax} of them are allowed; a schema alone can be sent as 'guided_json'`,
    };
  const excess = schemaExcess(schemas);
  if (excess) return { bound: excess.bound, what: `in its '%json', ${excess.what}` };
  // Two short expressions may take hours and all memory together, and nothing tells which.
  const found = joined.exec(text.replace(literal, ' '));
  return found
    ? {
        bound: null,
        what: `terminals cannot be intersected or negated ('${found[0]}' outside of texts and expressions)`,
      }
    : null;
}
