import { setTimeout as sleep } from 'node:timers/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { eventually } from '../support/eventually.js';
import { findVersitygw } from '../support/versitygw.js';
import { AttackerProcess, burn, type Tally } from './attacker-process.js';
import type { Attack } from './attacks/attack.js';
import { attacks, longRunsOnly } from './attacks/index.js';
import { limitedQuotas } from './attacks/limits.js';
import { Client } from '../support/programs/client.js';
import { Innocent } from './innocent.js';
import { canReplaceNames, silentNameServer } from '../support/programs/namespaces.js';
import { keyOf, modelId, Service, type StoreName } from '../support/programs/service.js';
import { limits, look, problemsOf, row, table, type Problems } from './verdict.js';
import { ProgramWatch, type Phase } from './watch-programs.js';

// Three tenants of the real programs: alice uses the service all the time, mallory attacks it, and nothing that mallory does may
// be felt by alice. docs/testing.md says what is measured.
const secondsGiven = Number(process.env['EYRIE_ISOLATION_SECONDS'] ?? 0);
const attackMs = (secondsGiven || 6) * 1000;
const quietMs = secondsGiven ? 8000 : 2500;
const firstQuietMs = 8000;
/** An attack is compared with the last so many quiet times, the machine's load being what it was then. */
const quietPhases = 3;
/** How long calls that began in an attack may go on until they count as never answered. */
const lastCallsMs = 30_000;
/** What was only late is made again so often. What is wrong with the service is late each time, what is wrong with the machine is not. */
const attemptsMax = 3;
const testMs = attemptsMax * 300_000;

const tenants = [
  { tenant: 'alice' },
  { tenant: 'bob' },
  { tenant: 'mallory' },
  { tenant: 'limited', quotas: limitedQuotas },
];

/** A service with alice at work, until an attack has shown that it cannot be used any further. */
class Scene {
  readonly service: Service;
  readonly innocent: Innocent;
  readonly watch: ProgramWatch;
  /** Quiet times so far: what alice's calls take when only she calls. */
  readonly quiet: Phase[] = [];

  private constructor(service: Service) {
    this.service = service;
    this.innocent = new Innocent({
      url: service.url,
      key: keyOf('alice'),
      tenant: 'alice',
      storeFolder: service.storeFolder,
    });
    this.watch = new ProgramWatch(service.programs);
  }

  static async open(store: StoreName, silentNames: boolean): Promise<Scene> {
    const scene = new Scene(await Service.start({ store, tenants, silentNames }));
    try {
      await scene.innocent.start();
      scene.watch.start();
      // The first calls warm everything up.
      const { webhooks, streams, calls } = scene.innocent;
      await eventually(
        'the first batches, webhooks and streams',
        () =>
          webhooks.filter(({ receivedMs }) => receivedMs !== null).length >= 4 &&
          streams.length >= 4 &&
          calls.some(({ kind }) => kind === 'guided'),
        60_000,
      );
    } catch (error) {
      await scene.close();
      throw error;
    }
    return scene;
  }

  async close(): Promise<void> {
    await this.innocent.stop().catch(() => undefined);
    await this.watch.stop().catch(() => undefined);
    await this.service.stop();
  }

  /** A stretch of time without an attack, but with the load on the processors that an attacker makes. */
  async rest(ms: number): Promise<Phase> {
    const startMs = performance.now();
    const end = await burn(availableParallelism());
    try {
      await sleep(ms);
    } finally {
      await end();
    }
    return { startMs, endMs: performance.now() };
  }

  /** Waits until what began before now has ended, and each webhook has come or is late beyond doubt. */
  async settle(): Promise<void> {
    const now = performance.now();
    const pending = (): boolean =>
      this.innocent.openSince(now).length > 0 ||
      this.innocent.webhooks.some(
        ({ receivedMs, endedMs }) => receivedMs === null && performance.now() - endedMs < limits.webhookLateMs + 1000,
      );
    await eventually('the last calls', () => !pending(), lastCallsMs).catch(() => undefined);
  }

  /** Takes back what an attacker has left: its batches and endpoints. */
  async tidy(key: string): Promise<void> {
    const client = new Client({ url: this.service.url, key });
    const signal = AbortSignal.timeout(10_000);
    const all = async (
      list: string,
      each: (item: { id: string; status?: string }) => Promise<unknown>,
    ): Promise<void> => {
      const { data } = await client.json<{ data: { id: string; status?: string }[] }>('GET', list, undefined, {
        signal,
      });
      await Promise.all(data.map((item) => each(item).catch(() => undefined)));
    };
    try {
      await all('/v1/webhook_endpoints?limit=100', ({ id }) =>
        client.call('DELETE', `/v1/webhook_endpoints/${id}`, undefined, { signal }),
      );
      await all('/v1/batches?limit=100', async ({ id, status = '' }) => {
        if (['validating', 'in_progress', 'finalizing'].includes(status))
          await client.call('POST', `/v1/batches/${id}/cancel`, undefined, { signal });
      });
    } catch {
      // The next quiet time shows whether it matters.
    } finally {
      client.close();
    }
  }
}

const rows: string[][] = [];
afterAll(() => {
  if (rows.length > 0) process.stdout.write(`\nTimes in ms, the worst, as quiet/attacked.\n${table(rows)}\n\n`);
});

const names = await canReplaceNames();
const s3 = await findVersitygw();
const missing: Readonly<Record<StoreName, string>> = { folder: '', s3: 'missing' in s3 ? s3.missing : '' };
/** What an attack lacks here; empty when it can be made. */
function lacks(attack: Attack, store: StoreName): string {
  if (attack.needs === 'folder' && store !== 'folder') return 'a folder as the store';
  if (attack.needs === 'names' && !names) return 'root, for a name server of its own';
  return '';
}

test('what is left to long runs is known', () => {
  const known = attacks.map(({ name }) => name);
  expect([...longRunsOnly].filter((name) => !known.includes(name))).toEqual([]);
});

describe.each(['folder', 's3'] as const)('over the store %s', (store) => {
  let scene: Scene | null = null;
  let spoilt = false;
  const closeScene = async (): Promise<void> => {
    await scene?.close();
    scene = null;
    spoilt = false;
  };
  afterEach(async () => {
    if (spoilt) await closeScene();
  });
  afterAll(closeScene);

  /** Makes an attack. */
  async function make({ name }: Attack): Promise<Problems> {
    // Until the end shows that it can be used again.
    spoilt = true;
    scene ??= await Scene.open(store, names);
    const { service, innocent, watch } = scene;
    const attacker = await AttackerProcess.start(name, {
      url: service.url,
      key: keyOf('mallory'),
      limitedKey: keyOf('limited'),
      model: modelId,
      inbox: service.storeFolder === null ? null : path.join(service.storeFolder, 'inbox', 'mallory'),
      nameServer: silentNameServer,
    });
    let tally: Tally;
    let attacked: Phase;
    try {
      await scene.settle();
      scene.quiet.push(await scene.rest(scene.quiet.length > 0 ? quietMs : firstQuietMs));
      const startMs = performance.now();
      attacker.attack();
      await sleep(attackMs);
      attacked = { startMs, endMs: performance.now() };
    } finally {
      tally = await attacker.stop();
    }
    await scene.settle();
    await scene.tidy(keyOf('mallory'));
    await scene.tidy(keyOf('limited'));
    const ever = look(innocent, watch, scene.quiet, true);
    const lately = look(innocent, watch, scene.quiet.slice(-quietPhases), true);
    // What takes longer than a quiet time has lasted of late is known from an earlier one.
    const before = { ...lately, worstMs: { ...ever.worstMs, ...lately.worstMs } };
    const during = look(innocent, watch, [attacked], false);
    const { late, wrong } = problemsOf(before, during);
    wrong.push(...tally.violations);
    if (Object.keys(tally.counts).length === 0) wrong.push('the attack did nothing');
    const problems = [...wrong, ...late];
    rows.push(row(`${name} (${store})`, before, during, problems.length === 0));
    process.stdout.write(`${name} (${store}): ${JSON.stringify(tally.counts)}\n`);
    for (const problem of problems) process.stdout.write(`  ${problem}\n`);
    spoilt = problems.length > 0;
    if (spoilt) {
      for (const line of service.errorsLogged()) process.stdout.write(`  ${line}\n`);
      await closeScene();
    }
    return { late, wrong };
  }

  // A short run makes one attack of a kind, and over S3 only those on the store.
  const chosen = attacks.filter(
    ({ name, s3: onStore }) =>
      secondsGiven > 0 || (!longRunsOnly.has(name) && (store === 'folder' || onStore === true)),
  );
  test.skipIf(missing[store] !== '').each(chosen.map((attack) => [attack.name, attack] as const))(
    '%s',
    async (_name, attack) => {
      const lacking = lacks(attack, store);
      if (lacking !== '') return;
      for (let attempt = 1; ; attempt++) {
        const { late, wrong } = await make(attack);
        if (wrong.length === 0 && late.length > 0 && attempt < attemptsMax) continue;
        expect([...wrong, ...late]).toEqual([]);
        return;
      }
    },
    testMs,
  );
});
