import { queueOrder, type QueueOrder } from '../src/domain/shard-priority.js';
import { BatchHeap, WaitingBatch } from './fair-queue/batch-heap.js';
import { MixedBatches, type DrawnBatch } from './fair-queue/mixed-batches.js';
import { PromisedShare, type ShareMark } from './fair-queue/promised-share.js';

export interface FairnessOptions {
  readonly days: number;
  readonly seed: number;
  /** Virtual time of the queue at the beginning. */
  readonly clock: number;
}

export interface FairnessFigures {
  readonly days: number;
  readonly shards: number;
  readonly batches: number;
  readonly waiting_batches_most: number;
  readonly waiting_shards_least: number;
  /** Windows of one batch, and the worst difference between what it got in one and what it was promised. */
  readonly windows: number;
  readonly share_deviation_max: number;
  /** The same for all shards of a priority together, small batches included. */
  readonly class_deviation_max: number;
  readonly deviation_allowed: number;
  readonly inversions: number;
  readonly saturated: number;
  readonly clock: number;
  /** Distance of the numbers around the clock, and the smallest stride of a batch. */
  readonly clock_spacing: number;
  readonly stride_min: number;
  /** Shards that their priority alone would not tell from the one before. */
  readonly told_by_rest: number;
  readonly seconds: number;
}

const shardsPerSecond = 100;
const daySeconds = 86_400;
/** A window ends when the batch has got this many shards, and all that wait so many each on average. */
const windowShards = 100;
const windowTurns = 10;
/** Open batches that a tenant may have. */
const openMax = 100;
/** Shards that wait on average: an hour of work. */
const waitingMean = 360_000;
/** A small urgent batch comes this often. */
const urgentEvery = 20 * shardsPerSecond;

/** Shares of the work that a class of batches got and was promised. */
class Class {
  served = 0;
  promised = 0;
}

class Batch extends WaitingBatch {
  readonly drawn: DrawnBatch;
  readonly came: ShareMark;
  /** The current window: when it began, by the promise and by all shards done, and shards of the batch in it. */
  window: { readonly since: ShareMark; readonly from: number };
  inWindow = 0;

  constructor(drawn: DrawnBatch, order: QueueOrder, seq: number, came: ShareMark, from: number) {
    super(order, drawn.shards, seq);
    this.drawn = drawn;
    this.came = came;
    this.window = { since: came, from };
  }
}

class Simulation {
  readonly #heap = new BatchHeap<Batch>();
  readonly #share = new PromisedShare();
  readonly #classes = new Map<number, Class>();
  readonly #openOf = new Map<number, number>();
  readonly #batches: MixedBatches;
  #seq = 0;
  #waiting = 0;
  #served = 0;
  clock: number;
  inversions = 0;
  saturated = 0;
  toldByRest = 0;
  strideMin = Infinity;
  windows = 0;
  deviationMax = 0;
  waitingBatchesMost = 0;
  waitingShardsLeast = Infinity;
  #last = { priority: 0, rest: 0 };

  constructor(seed: number, clock: number) {
    this.clock = clock;
    this.#batches = new MixedBatches(seed);
  }

  get batches(): number {
    return this.#seq;
  }

  run(shards: number): void {
    while (this.#served < shards) {
      this.#arrivals();
      this.#serve();
    }
    for (const batch of this.#heap.all) this.#account(batch);
  }

  /** Worst difference of a priority's work from its promise, of those that were promised enough to tell. */
  classDeviation(): number {
    return [...this.#classes.values()]
      .filter(({ promised }) => promised >= 10 * windowShards)
      .reduce((worst, { served, promised }) => Math.max(worst, Math.abs(served / promised - 1)), 0);
  }

  /** More in the day, less at night: then what has the smallest share gets its turn. The queue never runs empty. */
  #arrivals(): void {
    if (this.#served % urgentEvery === 0) this.#take([this.#batches.urgent()]);
    if (this.#served % shardsPerSecond !== 0 && this.#waiting > 1000) return;
    const day = this.#served / shardsPerSecond / daySeconds;
    const wanted = waitingMean * (1 + 0.95 * Math.sin(2 * Math.PI * day));
    while (this.#waiting < wanted) this.#take(this.#batches.send());
  }

  #take(drawn: readonly DrawnBatch[]): void {
    const mark = this.#share.mark();
    for (const batch of drawn) {
      const tenantBatches = (this.#openOf.get(batch.tenant) ?? 0) + 1;
      if (tenantBatches > openMax) continue;
      this.#openOf.set(batch.tenant, tenantBatches);
      const order = queueOrder({ ...batch, tenantBatches, clock: this.clock });
      this.strideMin = Math.min(this.strideMin, order.stride);
      this.#heap.add(new Batch(batch, order, this.#seq++, mark, this.#served));
      this.#waiting += batch.shards;
    }
    this.#weigh();
  }

  #serve(): void {
    const batch = this.#heap.first;
    if (!batch) return;
    const { priority, rest } = batch;
    const last = this.#last;
    if (priority < last.priority || (priority === last.priority && rest < last.rest)) this.inversions++;
    this.#last = { priority, rest };
    this.clock = Math.max(this.clock, priority);
    this.#heap.serve();
    this.#served++;
    this.#waiting--;
    this.#share.shardDone();
    const turns = (this.#served - batch.window.from) / this.#heap.all.length;
    if (++batch.inWindow >= windowShards && turns >= windowTurns) this.#closeWindow(batch);
    if (batch.next === batch.shards) this.#end(batch);
    else if (batch.priority === priority) {
      this.toldByRest++;
      if (batch.rest <= rest) this.saturated++;
    }
    this.waitingShardsLeast = Math.min(this.waitingShardsLeast, this.#waiting);
  }

  #closeWindow(batch: Batch): void {
    const promised = this.#share.since(batch.window.since) / batch.order.stride;
    this.deviationMax = Math.max(this.deviationMax, Math.abs(batch.inWindow / promised - 1));
    this.windows++;
    batch.window = { since: this.#share.mark(), from: this.#served };
    batch.inWindow = 0;
  }

  #end(batch: Batch): void {
    this.#openOf.set(batch.drawn.tenant, (this.#openOf.get(batch.drawn.tenant) ?? 1) - 1);
    this.#account(batch);
    this.#weigh();
  }

  #account(batch: Batch): void {
    const all = this.#classes.get(batch.drawn.priority) ?? new Class();
    this.#classes.set(batch.drawn.priority, all);
    all.served += batch.next;
    all.promised += this.#share.since(batch.came) / batch.order.stride;
  }

  /** Added up anew each time: weights differ by 2^32, so that a running sum would keep the rounding of the largest. */
  #weigh(): void {
    const { all } = this.#heap;
    this.waitingBatchesMost = Math.max(this.waitingBatchesMost, all.length);
    this.#share.setWeights(all.reduce((sum, { order }) => sum + 1 / order.stride, 0));
  }
}

/** Distance from a number to the next float64. */
const spacing = (value: number): number => 2 ** (Math.floor(Math.log2(value)) - 52);

/**
 * A month of mixed batches in simulated time, 100 shards a second through a queue that never empties: strides, virtual times and clock
 * by the service's own rules, shards served one by one in the order of their places.
 */
export function benchFairness({ days, seed, clock }: FairnessOptions): FairnessFigures {
  const started = performance.now();
  const shards = Math.round(days * daySeconds * shardsPerSecond);
  const simulation = new Simulation(seed, clock);
  simulation.run(shards);
  return {
    days,
    shards,
    batches: simulation.batches,
    waiting_batches_most: simulation.waitingBatchesMost,
    waiting_shards_least: simulation.waitingShardsLeast,
    windows: simulation.windows,
    share_deviation_max: Number(simulation.deviationMax.toFixed(4)),
    class_deviation_max: Number(simulation.classDeviation().toFixed(4)),
    deviation_allowed: 0.1,
    inversions: simulation.inversions,
    saturated: simulation.saturated,
    clock: simulation.clock,
    clock_spacing: spacing(simulation.clock),
    stride_min: simulation.strideMin,
    told_by_rest: simulation.toldByRest,
    seconds: Number(((performance.now() - started) / 1000).toFixed(1)),
  };
}
