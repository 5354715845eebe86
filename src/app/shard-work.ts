import type { ShardJob } from '../contract/queue-payload.js';
import type { PlannedShard, SubmitObject, WorkPlan } from '../contract/stored-objects.js';
import type { Engine } from '../ports/engine.js';
import type { WorkGate } from './attempts/work-gate.js';
import type { BatchWatches } from './batch-watch.js';
import type { LineRecord } from './line/line-record.js';
import type { LineRules } from './line/line-request.js';
import type { PlannedBatches } from './planned-batches.js';
import type { ShapeMeter } from './shape-meter.js';
import type { World } from './world.js';

/** What a worker has beside the world. */
export type Generator = World &
  LineRules & {
    readonly engine: Engine;
    readonly meter: ShapeMeter;
    readonly planned: PlannedBatches;
    readonly watches: BatchWatches;
    readonly workerId: string;
    readonly gate: WorkGate;
    /** The engine generates nothing any more: the worker should end. */
    readonly onBroken: () => void;
  };

/** A shard under way in this worker. */
export interface ShardWork {
  readonly job: ShardJob;
  readonly submit: SubmitObject;
  readonly plan: WorkPlan;
  readonly shard: PlannedShard;
  /** Its lines as they stand in the input; one over the size limit is null. */
  readonly lines: readonly (Uint8Array | null)[];
  /** Aborts with a `StopCause`. */
  readonly signal: AbortSignal;
}

/** Results by index within the shard or range; null where there are none: so far, or because the work was stopped. */
export type Records = (LineRecord | null)[];
