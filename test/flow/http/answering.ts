import { answerCall } from '../../../src/app/live/answer-call.js';
import { LiveShares } from '../../../src/app/live/live-shares.js';
import type { LiveChannel } from '../../../src/ports/live-channel.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import { eventually } from '../../support/eventually.js';
import { FakeGrammars } from '../../support/fake-grammars.js';
import type { MemoryConsumer } from '../../support/memory-queue.js';
import { ScriptedEngine, type Script, type ScriptedEngineOptions } from '../../support/scripted-engine.js';
import type { FakeWorld } from './fake-world.js';
import { listening, type Listening } from './listening.js';

type EngineTimes = Omit<ScriptedEngineOptions, 'clock'> & { readonly slots?: number };

export interface Worker {
  readonly engine: ScriptedEngine;
  readonly consumer: MemoryConsumer;
  /** `kill -9`: it says and does nothing any more. */
  readonly kill: () => void;
}

/** The part of a `generate` worker that answers live calls, over the fake world and on its clock. */
export function startWorker(world: FakeWorld, script: Script, times: EngineTimes = {}): Worker {
  const engine = new ScriptedEngine(script, { ...times, clock: world.clock });
  let killed = false;
  const never = new Promise<never>(() => undefined);
  const live: LiveChannel = {
    listen: (topic, handlers) => world.live.listen(topic, handlers),
    send: (topic, text) => (killed ? never : world.live.send(topic, text)),
  };
  const shares = new LiveShares(32, times.slots ?? 32, world.tenants);
  const answerer = { ...world, live, engine, shares, tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() };
  const consumer = world.queue.consume('live', { concurrency: 32 }, (job, signal) => answerCall(answerer, job, signal));
  const kill = (): void => {
    killed = true;
    world.queue.kill(consumer);
  };
  return { engine, consumer, kill };
}

/** A server that takes live calls, without a worker. */
export const waiting = (): Promise<Listening> =>
  listening({ tokenizer: new ByteTokenizer(), grammars: new FakeGrammars() });

/** A server, and a worker that answers every prompt by the script. */
export async function answering(script: Script, times: EngineTimes = {}): Promise<Listening & Worker> {
  const service = await waiting();
  return { ...service, ...startWorker(service.world, script, times) };
}

/** Lets time pass, a second at each look, until the condition holds. */
export const passTimeUntil = (
  { clock }: FakeWorld,
  what: string,
  condition: () => boolean | Promise<boolean>,
  stepMs = 1000,
): Promise<void> =>
  eventually(what, async () => {
    if (await condition()) return true;
    await clock.advance(stepMs);
    return condition();
  });

/** A POST with a JSON body, or without one. */
export const jsonPost = (body: object | undefined): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  ...(body ? { body: JSON.stringify(body) } : {}),
});
