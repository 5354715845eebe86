import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { completionRequest } from '../../../src/contract/completion-request.js';
import { parseWith } from '../../../src/contract/parse.js';
import { projectRoot } from '../../support/project-imports.js';

/** A list that counts how many of its elements are looked at. */
function watched(elements: readonly unknown[]): { readonly list: readonly unknown[]; readonly looks: () => number } {
  let looks = 0;
  const list = new Proxy(elements, {
    get: (target, name, receiver) => {
      if (typeof name === 'string' && /^\d+$/.test(name)) looks++;
      return Reflect.get(target, name, receiver) as unknown;
    },
  });
  return { list, looks: () => looks };
}

/** All array schemas within a schema. */
function arraysIn(schema: z.core.$ZodType, seen = new Set<unknown>()): z.core.$ZodArray[] {
  if (seen.has(schema)) return [];
  seen.add(schema);
  const within = Object.entries(schema._zod.def as unknown as Record<string, unknown>).flatMap(([name, value]) =>
    name === 'shape' || name === 'options' ? Object.values(value as object) : [value],
  );
  const arrays = within.flatMap((value) => (value instanceof z.core.$ZodType ? arraysIn(value, seen) : []));
  return schema instanceof z.core.$ZodArray ? [schema, ...arrays] : arrays;
}

/** How long the lists of a schema may be; undefined: there is no bound. */
const longest = (array: z.core.$ZodArray): number | undefined =>
  array._zod.def.checks
    ?.map(({ _zod }) => _zod.def as z.core.$ZodCheckDef & { readonly maximum?: number })
    .find(({ check }) => check === 'max_length')?.maximum;

/** The schemas of all bodies, by their names. */
async function requestSchemas(): Promise<[string, z.ZodType][]> {
  const found: [string, z.ZodType][] = [];
  const folder = path.join(projectRoot, 'src/contract');
  for (const file of await readdir(folder)) {
    const module = (await import(path.join(folder, file))) as Record<string, unknown>;
    for (const [name, schema] of Object.entries(module))
      if (name.endsWith('Request') && schema instanceof z.ZodType) found.push([name, schema]);
  }
  return found;
}

// zod looks at the length first where its checks begin with it. Nothing else here keeps a list from being read to be refused.
test('no list of a body is read before its length is known to be allowed', async () => {
  let lists = 0;
  for (const [name, schema] of await requestSchemas())
    for (const array of arraysIn(schema)) {
      const maximum = longest(array);
      // Token ids of a prompt: as many as the body holds.
      if (maximum === undefined && array._zod.def.element instanceof z.core.$ZodNumber) continue;
      expect(maximum, `a list in ${name} without a bound`).toBeDefined();
      const { list, looks } = watched(Array.from({ length: (maximum ?? 0) + 1 }, () => 'a'));
      const { issues } = array._zod.run({ value: list, issues: [] }, { abortEarly: true }) as z.core.ParsePayload;
      expect(issues.length, `a list in ${name} that is too long`).toBe(1);
      expect(looks(), `elements of a list in ${name}`).toBe(0);
      lists++;
    }
  expect(lists).toBeGreaterThan(10);
});

describe.each([
  ['stop', 'stopStringsMax', 'at most 16 stop strings are allowed'],
  ['guided_choice', 'grammarChoicesMax', 'at most 1000 choices are allowed'],
])('too long a list of %s', (param, bound, allowed) => {
  test.each([
    ['right elements', 'a'],
    ['wrong ones', ''],
  ])('is refused for its length: %s', (_, element) => {
    const { list, looks } = watched(Array.from({ length: 200_000 }, () => element));
    const body = { model: 'falcon', prompt: 'x', [param]: list };
    expect(() => parseWith(completionRequest, body)).toThrow(
      expect.objectContaining({ param, bound, message: expect.stringContaining(allowed) as string }),
    );
    // A few for the message.
    expect(looks()).toBeLessThan(40);
  });
});

test('a list that is not too long is read as before', () => {
  const read = (fields: object) => parseWith(completionRequest, { model: 'falcon', prompt: ['x', 'y'], ...fields });
  expect(read({ stop: ['a', 'b'] })).toMatchObject({ prompt: ['x', 'y'], stop: ['a', 'b'] });
  expect(() => read({ stop: ['a', ''] })).toThrow(expect.objectContaining({ param: 'stop[1]' }));
  expect(() => read({ guided_choice: [] })).toThrow(expect.objectContaining({ param: 'guided_choice' }));
});
