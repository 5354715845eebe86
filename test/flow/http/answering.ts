import { answerCall } from '../../../src/app/live/answer-call.js';
import { ByteTokenizer } from '../../support/byte-tokenizer.js';
import type { MemoryConsumer } from '../../support/memory-queue.js';
import { ScriptedEngine, type Script, type ScriptedEngineOptions } from '../../support/scripted-engine.js';
import type { FakeWorld } from './fake-world.js';
import { listening, type Listening } from './listening.js';

export interface Worker {
  readonly engine: ScriptedEngine;
  readonly consumer: MemoryConsumer;
}

/** The live part of a `generate` worker over the fake world. */
export function startWorker(world: FakeWorld, script: Script, options: ScriptedEngineOptions = {}): Worker {
  const engine = new ScriptedEngine(script, options);
  const answerer = { ...world, engine, tokenizer: new ByteTokenizer() };
  const consumer = world.queue.consume('live', { concurrency: 32 }, (job, signal) => answerCall(answerer, job, signal));
  return { engine, consumer };
}

/** A server that takes live calls, without a worker. */
export const waiting = (): Promise<Listening> => listening({ tokenizer: new ByteTokenizer() });

/** A server and a worker that says this to every prompt. */
export async function answering(script: Script, options: ScriptedEngineOptions = {}): Promise<Listening & Worker> {
  const service = await waiting();
  return { ...service, ...startWorker(service.world, script, options) };
}
