/** One sequence to generate. */
export interface SequenceShape {
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export interface EngineShape {
  /** Sequences decoded together. */
  readonly slots: number;
  /** Prompt tokens per pass. */
  readonly prefillTokens: number;
}

export interface PaddingEstimate {
  readonly usefulTokens: number;
  /** Rows of decode shapes that no token came from. */
  readonly idleSlotSteps: number;
  /** Idle rows over all rows. */
  readonly share: number;
}

/** Prompts are cut at multiples of this only. */
const chunkTokens = 64;
/** Sequences that the engine sees ahead: shards in flight times lines of a shard. */
const aheadMax = 256;

/** Rows of the static decode shape that holds so many sequences: 1, 2, 4 … 32, then steps of 32, and always `slots`. */
export function decodeRung(rows: number, slots: number): number {
  let rung = 1;
  while (rung < rows) rung = rung < 32 ? rung * 2 : rung + 32;
  return Math.min(rung, slots);
}

interface Slot {
  prompt: number;
  output: number;
}

/** The engine's waiting room: the longest goes first, of those that are seen ahead. */
class WaitingRoom {
  readonly #source: Iterator<SequenceShape>;
  readonly #ahead: SequenceShape[] = [];

  constructor(source: Iterator<SequenceShape>) {
    this.#source = source;
  }

  take(): SequenceShape | null {
    while (this.#ahead.length < aheadMax) {
      const next = this.#source.next();
      if (next.done === true) break;
      this.#ahead.push(next.value);
    }
    let best = -1;
    let bestLength = -1;
    for (const [at, { promptTokens, outputTokens }] of this.#ahead.entries())
      if (promptTokens + outputTokens > bestLength) {
        bestLength = promptTokens + outputTokens;
        best = at;
      }
    return best < 0 ? null : (this.#ahead.splice(best, 1)[0] ?? null);
  }
}

/**
 * What the engine's static shapes would waste on these sequences, one after the other on one worker: the scheduler of
 * `native/engine/scheduler.h` with its rules for admission, prefill packs and decode shapes, without shared prefixes, which only
 * save work. Every sequence is taken to generate all it may.
 */
export function estimatePadding(
  sequences: Iterable<SequenceShape>,
  { slots, prefillTokens }: EngineShape,
): PaddingEstimate {
  const waiting = new WaitingRoom(sequences[Symbol.iterator]());
  const budget = Math.max(prefillTokens, chunkTokens);
  let prefilling: Slot[] = [];
  let decoding: Slot[] = [];
  let usefulTokens = 0;
  let idleSlotSteps = 0;
  let open = true;
  for (;;) {
    while (open && prefilling.length + decoding.length < slots) {
      const next = waiting.take();
      if (!next) open = false;
      else {
        usefulTokens += next.promptTokens + next.outputTokens;
        prefilling.push({ prompt: Math.max(1, next.promptTokens), output: Math.max(1, next.outputTokens) });
      }
    }
    const occupied = prefilling.length + decoding.length;
    if (occupied === 0) break;
    const shape = decodeRung(occupied, slots);
    // While nothing is prefilled, nothing changes until the next sequence ends.
    const passes = prefilling.length > 0 ? 1 : Math.min(...decoding.map(({ output }) => output));
    const decodeRows = decoding.length;
    let tokenRows = decodeRows;
    for (const slot of decoding) slot.output -= passes;

    let room = budget;
    const begun: Slot[] = [];
    for (const slot of prefilling) {
      const last = slot.prompt <= room;
      const rows = last ? slot.prompt : Math.floor(room / chunkTokens) * chunkTokens;
      slot.prompt -= rows;
      room -= rows;
      if (!last) continue;
      // The last prompt row yields the first token.
      slot.output -= 1;
      tokenRows++;
      begun.push(slot);
    }
    // As the engine counts: a pass without decode rows has no decode shape.
    if (decodeRows > 0) idleSlotSteps += passes * (shape - tokenRows);
    prefilling = prefilling.filter(({ prompt }) => prompt > 0);
    decoding = [...decoding, ...begun].filter(({ output }) => output > 0);
  }
  const rows = usefulTokens + idleSlotSteps;
  return { usefulTokens, idleSlotSteps, share: rows === 0 ? 0 : idleSlotSteps / rows };
}
