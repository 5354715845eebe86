import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Program, ProgramName } from '../support/programs/service.js';

/** A stretch of time, by `performance.now()`. */
export interface Phase {
  readonly startMs: number;
  readonly endMs: number;
}

/** What a look at a program's metrics told of the time since the look before. */
interface Second extends Phase {
  readonly delayP99Ms: number;
  /** Jobs lost by their worker. */
  readonly stalls: number;
}

export interface ProgramSeen {
  readonly name: ProgramName;
  /** Of each `lookMs`, the worst first; a look that a blocked loop made longer counts as so many. */
  readonly delaysP99Ms: readonly number[];
  readonly rssMb: number;
  /** How many jobs were taken from this program because it was silent, or were seen by it to be lost. */
  readonly stalls: number;
  readonly exit: string | null;
}

/** So short that the p99 of what was measured since the look before (a value each 10 ms) is its worst value. */
export const lookMs = 500;
const rssEveryMs = 200;

/** Looks at the programs all the time: memory from the kernel, the rest from their operator ports. */
export class ProgramWatch {
  readonly #programs: readonly Program[];
  readonly #seconds = new Map<ProgramName, Second[]>();
  readonly #rss = new Map<ProgramName, { startMs: number; endMs: number; mb: number }[]>();
  /** Looks that have not been answered yet. */
  readonly #asked = new Map<ProgramName, number>();
  readonly #stallsSeen = new Map<ProgramName, number>();
  readonly #stopping = new AbortController();
  readonly #loops: Promise<void>[] = [];

  constructor(programs: readonly Program[]) {
    this.#programs = programs;
  }

  start(): void {
    for (const program of this.#programs) {
      this.#seconds.set(program.name, []);
      this.#rss.set(program.name, []);
      this.#loops.push(
        this.#repeat(lookMs, () => this.#scrape(program)),
        this.#repeat(rssEveryMs, () => Promise.resolve(this.#measure(program))),
      );
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#loops);
  }

  /** What was seen of each program in these stretches of time. */
  seen(phases: readonly Phase[]): ProgramSeen[] {
    const during = <T extends Phase>(list: readonly T[] = []): T[] =>
      list.filter((entry) => phases.some(({ startMs, endMs }) => entry.startMs < endMs && entry.endMs > startMs));
    return this.#programs.map(({ name, exit }) => {
      const asked = this.#asked.get(name);
      const now = performance.now();
      // A loop that is blocked still: its delay is at least as long as nobody answers.
      const unanswered =
        asked === undefined ? [] : during([{ startMs: asked, endMs: now, delayP99Ms: now - asked, stalls: 0 }]);
      const seconds = [
        ...during(this.#seconds.get(name)),
        ...unanswered.filter(({ delayP99Ms }) => delayP99Ms > lookMs),
      ];
      return {
        name,
        delaysP99Ms: seconds
          .flatMap(({ startMs, endMs, delayP99Ms }) =>
            Array<number>(Math.max(1, Math.round((endMs - startMs) / lookMs))).fill(delayP99Ms),
          )
          .sort((a, b) => b - a),
        rssMb: Math.max(0, ...during(this.#rss.get(name)).map(({ mb }) => mb)),
        stalls: seconds.reduce((sum, { stalls }) => sum + stalls, 0),
        exit: exit(),
      };
    });
  }

  async #repeat(pauseMs: number, step: () => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await step().catch(() => undefined);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** A program whose loop is blocked answers late; the delay it then tells has the time of the block in it. */
  async #scrape({ name, operatorUrl }: Program): Promise<void> {
    const askedMs = performance.now();
    this.#asked.set(name, askedMs);
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(120_000)]);
    const text = await (await fetch(`${operatorUrl}/metrics`, { signal })).text();
    this.#asked.delete(name);
    const p99 = /^nodejs_eventloop_lag_p99_seconds(?:\{[^}]*\})? (\S+)$/m.exec(text)?.[1];
    if (p99 === undefined) throw new Error(`${name} tells no event-loop delay`);
    let lost = 0;
    for (const [, labels = '', value] of text.matchAll(/^eyrie_(?:job_failures|shards)_total\{([^}]*)\} (\S+)$/gm))
      if (/outcome="(stalled|worker_lost)"/.test(labels)) lost += Number(value);
    const stalls = lost - (this.#stallsSeen.get(name) ?? 0);
    this.#stallsSeen.set(name, lost);
    const seconds = this.#seconds.get(name) ?? [];
    const startMs = seconds.at(-1)?.endMs ?? askedMs;
    seconds.push({ startMs, endMs: performance.now(), delayP99Ms: Number(p99) * 1000, stalls });
  }

  #measure({ name, pid }: Program): void {
    const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const now = performance.now();
    this.#rss.get(name)?.push({ startMs: now, endMs: now, mb: Number(kib ?? 0) / 1024 });
  }
}
