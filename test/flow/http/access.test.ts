import { expect, test } from 'vitest';
import { scopes, type Scope } from '../../../src/domain/scopes.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import { errorOf, listening } from './listening.js';

interface Operation {
  readonly method: string;
  readonly path: string;
  /** null: public; empty: any key. */
  readonly needs: readonly string[] | null;
}

async function operationsOf(url: string): Promise<Operation[]> {
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { security: { key: string[] }[] }>>;
  };
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { security }]) => ({
      method: method.toUpperCase(),
      path,
      needs: security[0]?.key ?? null,
    })),
  );
}

test('only the routes that are meant to be public answer without a key', async () => {
  const { url } = await listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() });
  const operations = await operationsOf(url);
  const open = operations.filter(({ needs }) => needs === null).map(({ path }) => path);
  expect(open.toSorted()).toEqual(['/docs', '/health', '/openapi.json', '/ready']);
  for (const { method, path, needs } of operations) {
    if (needs === null) continue;
    expect(needs.filter((scope) => !scopes.includes(scope as Scope))).toEqual([]);
    const response = await fetch(url + path.replaceAll(/\{\w+\}/g, 'x'), { method });
    expect({ path, method, status: response.status }).toEqual({ path, method, status: 401 });
    expect(await errorOf(response)).toMatchObject({ code: 'invalid_api_key', param: null });
  }
});

test('a call that changes something needs a scope of its own', async () => {
  const { url } = await listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() });
  const changing = (await operationsOf(url)).filter(({ method, path }) => method !== 'GET' && !/tokenize/.test(path));
  expect(changing.length).toBeGreaterThan(5);
  for (const { path, needs } of changing)
    expect(needs, path).toEqual([expect.stringMatching(/:write$|^generate$|^admin$/)]);
});
