import { bounds, type BoundName } from './bounds.js';

export interface SchemaExcess {
  readonly bound: BoundName;
  readonly what: string;
}

/** Keywords whose schemas hold beside what else is said of the same value. */
const joining = ['allOf', 'anyOf', 'oneOf', '$ref'] as const;

/** Say nothing of a text or a number that would have to be followed beside a pattern. */
const harmless: ReadonlySet<string> = new Set(
  (
    'type title description default example examples deprecated readOnly writeOnly ' +
    '$comment $schema $id $defs definitions nullable discriminator'
  ).split(' '),
);

/** Whether more than one schema may hold of the same value here. */
function joins(schema: Readonly<Record<string, unknown>>): boolean {
  if ('properties' in schema && 'patternProperties' in schema) return true;
  const here = joining.filter((name) => name in schema);
  if (here.length === 0) return false;
  const { allOf } = schema;
  return (
    here.length > 1 ||
    (Array.isArray(allOf) && allOf.length > 1) ||
    Object.keys(schema).some((name) => name !== here[0] && !harmless.has(name))
  );
}

const greatestDivisor = (a: number, b: number): number => (b === 0 ? a : greatestDivisor(b, a % b));

/** Decimals of a number; Infinity for one that is so large or small that it is written with an exponent. */
function decimalsOf(value: number): number {
  const text = String(value);
  return text.includes('e') ? Infinity : (text.split('.')[1]?.length ?? 0);
}

const inUnits = (value: number, decimals: number): number => Math.round(value * 10 ** decimals);

/**
 * Limits of a schema that cost more together than one by one: texts that must match several patterns, and numbers that must be
 * multiples of several. Whether two of them ever hold of the same value is not found out, only whether any two may.
 */
export class JoinedLimits {
  #joins = false;
  #patterns = 0;
  readonly #multiples: number[] = [];

  note(schema: Readonly<Record<string, unknown>>): void {
    this.#joins ||= joins(schema);
    const { pattern, patternProperties, multipleOf } = schema;
    if (typeof pattern === 'string') this.#patterns++;
    if (typeof patternProperties === 'object' && patternProperties !== null)
      this.#patterns += Object.keys(patternProperties).length;
    if (typeof multipleOf === 'number' && multipleOf > 0) this.#multiples.push(multipleOf);
  }

  excess(): SchemaExcess | null {
    if (this.#units() > bounds.grammarMultiplesMax)
      return {
        bound: 'grammarMultiplesMax',
        what: `the values of its 'multipleOf', in units of their last decimal, are more than ${bounds.grammarMultiplesMax} together, or as their least common multiple where several may hold of one number; at most that many are allowed. Use smaller ones, or check the answer yourself`,
      };
    if (this.#joins && this.#patterns > bounds.grammarPatternsJoinedMax)
      return {
        bound: 'grammarPatternsJoinedMax',
        what: `it has ${this.#patterns} patterns, of which several may hold of one text ('allOf', 'patternProperties' beside 'properties', or 'anyOf', 'oneOf' and '$ref' beside other keywords); at most ${bounds.grammarPatternsJoinedMax} are allowed then. Leave some out, or say all of them in one pattern`,
      };
    return null;
  }

  #units(): number {
    const sum = this.#multiples.reduce((units, value) => units + inUnits(value, decimalsOf(value)), 0);
    if (!this.#joins || sum > bounds.grammarMultiplesMax) return sum;
    const decimals = Math.max(0, ...this.#multiples.map(decimalsOf));
    let common = 1;
    for (const value of this.#multiples) {
      const units = inUnits(value, decimals);
      common = (common / greatestDivisor(common, units)) * units;
      if (common > bounds.grammarMultiplesMax) break;
    }
    return Math.max(sum, common);
  }
}
