import { priorityRest, shardPriority, type QueueOrder } from '../../src/domain/shard-priority.js';

/** A batch that waits: its next shard stands for all that come behind it. */
export class WaitingBatch {
  readonly order: QueueOrder;
  readonly shards: number;
  readonly seq: number;
  next = 0;
  /** Place of the next shard. */
  priority: number;
  rest: number;

  constructor(order: QueueOrder, shards: number, seq: number) {
    this.order = order;
    this.shards = shards;
    this.seq = seq;
    this.priority = shardPriority(order, 0);
    this.rest = priorityRest(order, 0);
  }

  /** Goes on to the next shard; false when there is none. */
  advance(): boolean {
    this.next++;
    if (this.next === this.shards) return false;
    this.priority = shardPriority(this.order, this.next);
    this.rest = priorityRest(this.order, this.next);
    return true;
  }

  before(other: WaitingBatch): boolean {
    if (this.priority !== other.priority) return this.priority < other.priority;
    if (this.rest !== other.rest) return this.rest < other.rest;
    return this.seq < other.seq;
  }
}

/** Batches by the place of their next shard: serves shards exactly as an order of all of them would. */
export class BatchHeap<T extends WaitingBatch> {
  readonly #heap: T[] = [];

  get all(): readonly T[] {
    return this.#heap;
  }

  get first(): T | undefined {
    return this.#heap[0];
  }

  add(batch: T): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(batch);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (!above || !batch.before(above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = batch;
  }

  /** Takes the first batch's next shard. */
  serve(): void {
    const [first] = this.#heap;
    if (!first) return;
    if (first.advance()) return this.#sink(first);
    const last = this.#heap.pop();
    if (last && last !== first) this.#sink(last);
  }

  #sink(batch: T): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      let child = heap[left];
      if (!child) break;
      let childAt = left;
      const right = heap[left + 1];
      if (right?.before(child)) {
        child = right;
        childAt = left + 1;
      }
      if (!child.before(batch)) break;
      heap[at] = child;
      at = childAt;
    }
    heap[at] = batch;
  }
}
