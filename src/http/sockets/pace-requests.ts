import type { Server } from 'node:http';
import type { KeyRing } from '../../app/keys/key-ring.js';
import type { World } from '../../app/world.js';
import { bounds } from '../../domain/bounds.js';
import { callerOf } from '../authenticate.js';
import type { LoopTurns } from './loop-turns.js';
import { pacePipelines } from './pipelines.js';

const boundOf = {
  waitingMax: 'pipelinedWaitingMax',
  waitingBytesMax: 'pipelinedWaitingBytesMax',
  waitingInAllMax: 'pipelinedWaitingInAllMax',
  waitingInAllBytesMax: 'pipelinedWaitingInAllBytesMax',
} as const;

/** Begins the requests of a server within the bounds, those of different callers alternately. */
export function paceRequests(
  server: Server,
  world: Pick<World, 'refusals'>,
  keyRing: Pick<KeyRing, 'knownTenant'>,
  turns: LoopTurns,
): void {
  pacePipelines(server, {
    turns,
    callerOf: (request) => callerOf(keyRing, request),
    atOnce: bounds.pipelinedAtOnce,
    waitingMax: bounds.pipelinedWaitingMax,
    waitingBytesMax: bounds.pipelinedWaitingBytesMax,
    waitingInAllMax: bounds.pipelinedWaitingInAllMax,
    waitingInAllBytesMax: bounds.pipelinedWaitingInAllBytesMax,
    onCut: (name) => world.refusals.note('', boundOf[name]),
  });
}
