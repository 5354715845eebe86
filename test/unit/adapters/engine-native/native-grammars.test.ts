import { expect, test, vi } from 'vitest';
import { NativeGrammars } from '../../../../src/adapters/engine-native/native-grammars.js';
import { bounds } from '../../../../src/domain/bounds.js';
import { grammarMemory, type Grammar } from '../../../../src/domain/grammar.js';

const { compile } = vi.hoisted(() => ({ compile: vi.fn((source: { text: string }) => Promise.resolve(source.text)) }));

vi.mock('../../../../src/adapters/engine-native/load-addon.js', () => ({
  loadAddon: () => ({ openGrammars: () => Promise.resolve({ compile }) }),
}));

const options = {
  tokenBytes: new Uint8Array(),
  tokenByteEnds: new Uint32Array(),
  specialTokenIds: new Uint32Array(),
  endTokenId: 0,
};

const grammarOf = (text: string): Grammar => ({ kind: 'regex', text, leadingSpace: false });

test("what was compiled for a line's check is what the engine gets, also when it is not kept any more", async () => {
  const grammars = new NativeGrammars(options);
  const mine = grammarOf('mine');
  await grammars.check(mine, 'alice');
  const other = 'x'.repeat(100_000);
  const others = Math.ceil(bounds.grammarsKeptBytes / grammarMemory({ text: other }));
  for (let n = 0; n <= others; n++) await grammars.check(grammarOf(`${n}${other}`), 'alice');
  expect(grammars.isKept(mine)).toBe(false);
  compile.mockClear();
  expect(await grammars.compiled(mine)).toBe('mine');
  expect(compile).not.toHaveBeenCalled();
  // An equal grammar of another line is another object: it is checked, and compiled, for itself.
  await grammars.check(grammarOf('mine'), 'alice');
  expect(compile).toHaveBeenCalledTimes(1);
});

test('a grammar that is wrong is refused to the engine too, and other failures are tried again by the next line', async () => {
  const grammars = new NativeGrammars(options);
  compile.mockRejectedValueOnce(Object.assign(new Error('no room'), { code: 'out_of_memory' }));
  const grammar = grammarOf('again');
  await expect(grammars.check(grammar, 'alice')).rejects.toThrow('no room');
  await expect(grammars.compiled(grammar)).rejects.toThrow('no room');
  await expect(grammars.check(grammarOf('again'), 'alice')).resolves.toBeUndefined();
});
