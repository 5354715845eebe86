import { expect, it } from 'vitest';
import { PinoLog } from '../../../../src/adapters/pino-log/pino-log.js';
import { EyrieError } from '../../../../src/domain/errors.js';

function open(pretty = false): { log: PinoLog; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  return { log: new PinoLog({ level: 'info', pretty, program: 'control', destination }), lines };
}

it('writes one JSON object per line, with level, time, program and fields', () => {
  const { log, lines } = open();
  log.debug('not.shown');
  log.info('shard.done', { batch: 'batch_1', lines: 64, gone: undefined, none: null });
  expect(lines).toHaveLength(1);
  const record = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  expect(record).toMatchObject({
    level: 'info',
    event: 'shard.done',
    program: 'control',
    batch: 'batch_1',
    lines: 64,
    none: null,
  });
  expect(new Date(String(record['time'])).getTime()).toBeGreaterThan(Date.now() - 60_000);
});

it.each([
  { apiKey: 'ey_abc_SECRET' },
  { authorization: 'SECRET' },
  { signing_secret: 'SECRET' },
  { prompt: 'SECRET' },
  { customId: 'SECRET' },
  { reason: 'key ey_abc_SECRET is unknown' },
  { reason: 'whsec_SECRETSECRETSECRET' },
  { reason: 'Authorization: Bearer SECRET' },
  { url: 'redis://user:SECRET@host:6379/0' },
  { url: 'https://bucket/key?X-Amz-Signature=SECRET&x=1' },
])('does not write the secret of %j', (fields) => {
  const { log, lines } = open();
  log.warn('e', fields);
  log.error('e', {}, new Error(Object.values(fields)[0] === 'SECRET' ? 'nothing' : Object.values(fields)[0]));
  expect(lines.join('')).not.toContain('SECRET');
  expect(lines.join('')).toContain('[redacted]');
});

it('keeps names that only look like those of secrets', () => {
  const { log, lines } = open();
  log.info('e', { tokens: 12, promptTokens: 3, key: 'x', tokensPerSecond: 5 });
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    tokens: 12,
    promptTokens: 3,
    key: '[redacted]',
    tokensPerSecond: 5,
  });
});

it('does not repeat what a wrong request said, but says what failed inside', () => {
  const { log, lines } = open();
  log.error('line.refused', {}, new EyrieError('invalid_value', 'Invalid \'a\': "PROMPT"', { param: 'body.a' }));
  log.error('store.down', {}, new EyrieError('store_unavailable', 'Could not read', { cause: new Error('EIO') }));
  log.error('bug', {}, new TypeError('x is not a function'));
  const [refused, down, bug] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).not.toContain('PROMPT');
  expect(refused).toMatchObject({ errorCode: 'invalid_value', errorParam: 'body.a' });
  expect(down).toMatchObject({
    errorCode: 'store_unavailable',
    errorMessage: 'Could not read',
    causes: ['Error: EIO'],
  });
  expect(down).not.toHaveProperty('stack');
  expect(bug).toMatchObject({ errorCode: 'internal_error', errorName: 'TypeError' });
  const [frame] = (bug?.['stack'] ?? []) as string[];
  expect(frame).toMatch(/^at /);
});

it('writes a line for people when asked, in which a value cannot forge another line', () => {
  const { log, lines } = open(true);
  log.warn('job.stalled', { job: 's-batch_1-3', note: 'a\n12:00:00 info forged \u001b[31m' });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.match(/\n/g)).toHaveLength(1);
  expect(lines[0]).toContain('job.stalled');
  expect(lines[0]).toContain('s-batch_1-3');
  expect(lines[0]).toContain(String.raw`"a\n12:00:00 info forged \u001b[31m"`);
});
