import { bounds } from './bounds.js';
import { JoinedLimits, type SchemaExcess } from './joined-limits.js';

const ranges: ReadonlySet<string> = new Set([
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
]);

/** Why a schema would take too long to compile; null when it would not. Looks at no more of it than the bounds allow. */
export function schemaExcess(schema: unknown): SchemaExcess | null {
  let members = 0;
  let numbers = 0;
  const joined = new JoinedLimits();
  const open: unknown[] = [schema];
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (!Array.isArray(value)) {
      const names = Object.keys(value);
      members += names.length;
      for (const name of names) if (ranges.has(name)) numbers++;
      joined.note(value as Readonly<Record<string, unknown>>);
    }
    if (members > bounds.grammarMembersMax)
      return {
        bound: 'grammarMembersMax',
        what: `it has more than ${bounds.grammarMembersMax} members, those of all its objects together; at most that many are allowed. Ask for less in one answer`,
      };
    if (numbers > bounds.grammarRangesMax)
      return {
        bound: 'grammarRangesMax',
        what: `it has more than ${bounds.grammarRangesMax} limits of numbers (minimum, maximum and the like); at most that many are allowed. Ask for less in one answer`,
      };
    for (const inner of Object.values(value)) open.push(inner);
  }
  return joined.excess();
}
