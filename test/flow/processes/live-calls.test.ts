import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LocalMode } from '../../support/local-mode.js';
import { makeTempFolder } from '../../support/temp-folder.js';

let folder: string;
let service: LocalMode;

beforeAll(async () => {
  folder = await makeTempFolder();
  service = await LocalMode.start(path.join(folder, 'data'));
});
afterAll(async () => {
  await service.stop();
  await rm(folder, { recursive: true });
});

test('a call wakes a worker from zero, and a stream says the same as the whole answer', async () => {
  expect(service.programs('generate')).toEqual([]);
  const request = { model: service.modelId, prompt: 'Once upon', max_tokens: 40, temperature: 1, seed: 7, logprobs: 3 };
  const whole = await service.client().completions.create(request);
  expect(service.programs('generate')).toHaveLength(1);
  let text = '';
  for await (const event of await service.client().completions.create({ ...request, stream: true }))
    text += event.choices[0]?.text ?? '';
  expect(text).toBe(whole.choices[0]?.text);
}, 60_000);
