import { writeFileSync } from 'node:fs';
import { test } from 'vitest';
import { listening } from '../flow/http/listening.js';
import { ByteTokenizer } from '../support/byte-tokenizer.js';
import { FakeGrammars } from '../support/fake-grammars.js';
test('dump', async () => {
  const { url } = await listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars(), configuredKeysAdmin: true });
  writeFileSync(process.env['DUMP']!, JSON.stringify(await (await fetch(`${url}/openapi.json`)).json(), null, 1));
});
