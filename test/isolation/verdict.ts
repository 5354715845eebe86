import type { Call, CallKind, Innocent } from './innocent.js';
import { lookMs, type Phase, type ProgramSeen, type ProgramWatch } from './watch-programs.js';

/** What the innocent tenant and the programs went through in a phase. */
export interface Seen {
  readonly seconds: number;
  readonly worstMs: Readonly<Partial<Record<CallKind, number>>>;
  readonly calls: number;
  readonly callErrors: readonly string[];
  readonly streams: number;
  readonly streamErrors: readonly string[];
  readonly silenceMs: number;
  readonly webhooks: number;
  readonly webhookLateMs: number;
  readonly programs: readonly ProgramSeen[];
}

export const limits = {
  /** A call may take so many times its quiet worst … */
  callFactor: 3,
  /** … and this. */
  callExtraMs: 250,
  /** What waits for others' steps that are under way (a batch takes four of them, a drop the polls) may take this longer. */
  stepsExtraMs: 2000,
  webhookLateMs: 5000,
  loopDelayMs: 100,
  rssGrowthMb: 300,
} as const;

/** Kinds that consist of several steps of `control` and `generate`. */
const ofSteps: readonly CallKind[] = ['batch', 'drop'];

/**
 * What was seen in all of these stretches of time. A call counts that had a part in them; of quiet ones, those that lie in them
 * entirely: the others were slowed down by the attack before or behind.
 */
export function look(innocent: Innocent, watch: ProgramWatch, phases: readonly Phase[], quiet: boolean): Seen {
  const during = <T extends { startMs: number; endMs: number }>(list: readonly T[]): T[] =>
    list.filter((entry) =>
      phases.some(({ startMs, endMs }) =>
        quiet ? entry.startMs >= startMs && entry.endMs <= endMs : entry.startMs < endMs && entry.endMs > startMs,
      ),
    );
  const now = performance.now();
  // What goes on still has taken that long at least.
  const open = innocent.openSince(Math.max(...phases.map((phase) => phase.endMs)));
  const endless = open.flatMap(({ kind, startMs }) =>
    kind === 'stream' ? [] : [{ kind, startMs, endMs: now, error: 'no end in sight' }],
  );
  const calls = during([...innocent.calls, ...endless]);
  const streams = during(innocent.streams);
  const webhooks = innocent.webhooks.filter(({ endedMs }) =>
    phases.some((phase) => endedMs >= phase.startMs && endedMs <= phase.endMs),
  );
  return {
    seconds: phases.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0) / 1000,
    worstMs: worstOf(calls),
    calls: calls.length,
    callErrors: calls.flatMap(({ kind, error }) => (error === null ? [] : [`${kind}: ${error}`])),
    streams: streams.length,
    streamErrors: streams.flatMap(({ error }) => (error === null ? [] : [error])),
    silenceMs: Math.max(0, ...streams.map(({ silenceMs }) => silenceMs)),
    webhooks: webhooks.length,
    webhookLateMs: Math.max(0, ...webhooks.map(({ endedMs, receivedMs }) => (receivedMs ?? now) - endedMs)),
    programs: watch.seen(phases),
  };
}

function worstOf(calls: readonly Call[]): Partial<Record<CallKind, number>> {
  const worst: Partial<Record<CallKind, number>> = {};
  for (const { kind, startMs, endMs } of calls) worst[kind] = Math.max(worst[kind] ?? 0, endMs - startMs);
  return worst;
}

/**
 * The event-loop delay of a phase: the p99 of its worst stretch, but for one second in each ten begun, which a machine shared with
 * others needs.
 */
export function loopDelayMs({ delaysP99Ms }: ProgramSeen, seconds: number): number {
  return delaysP99Ms[(Math.ceil(seconds / 10) * 1000) / lookMs] ?? delaysP99Ms.at(-1) ?? 0;
}

export function callLimitMs(kind: CallKind, quiet: Seen): number {
  const extraMs = ofSteps.includes(kind) ? limits.stepsExtraMs : limits.callExtraMs;
  const small = Object.entries(quiet.worstMs).flatMap(([name, ms]) => (ofSteps.includes(name as CallKind) ? [] : [ms]));
  // One that no quiet time had time for is taken to last as long as the slowest of the others.
  return limits.callFactor * (quiet.worstMs[kind] ?? Math.max(0, ...small)) + extraMs;
}

export interface Problems {
  /** Calls or loops that took too long: a machine that others use makes one late now and then, so the attack is made again. */
  readonly late: string[];
  /** What must never be. */
  readonly wrong: string[];
}

/** What is wrong with what was seen in an attack, measured by the quiet time; nothing when it held. */
export function problemsOf(quiet: Seen, attacked: Seen): Problems {
  const late: string[] = [];
  const problems: string[] = [];
  for (const [kind, ms] of Object.entries(attacked.worstMs) as [CallKind, number][]) {
    const limit = callLimitMs(kind, quiet);
    if (ms > limit) late.push(`worst '${kind}' ${ms.toFixed(0)} ms, at most ${limit.toFixed(0)} are allowed`);
  }
  problems.push(...counted(attacked.callErrors), ...counted(attacked.streamErrors.map((text) => `stream: ${text}`)));
  if (attacked.webhookLateMs > limits.webhookLateMs)
    problems.push(`webhook ${attacked.webhookLateMs.toFixed(0)} ms after the end of its batch`);
  for (const program of attacked.programs) {
    const before = quiet.programs.find(({ name }) => name === program.name);
    if (program.exit !== null) problems.push(`${program.name} ended: ${program.exit}`);
    if (program.stalls > 0) problems.push(`${program.name} saw ${program.stalls} jobs lost by their worker`);
    const delay = loopDelayMs(program, attacked.seconds);
    const delayLimit = Math.max(limits.loopDelayMs, before ? 2 * loopDelayMs(before, quiet.seconds) : 0);
    if (delay > delayLimit)
      late.push(`event loop of ${program.name} delayed ${delay.toFixed(0)} ms, at most ${delayLimit.toFixed(0)}`);
    const growth = program.rssMb - (before?.rssMb ?? 0);
    if (growth > limits.rssGrowthMb) problems.push(`${program.name} grew by ${growth.toFixed(0)} MB`);
  }
  return { late, wrong: problems };
}

function counted(texts: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => `${count} x ${text.slice(0, 200)}`);
}

const shownKinds: readonly CallKind[] = ['call', 'guided', 'dry run', 'list', 'create', 'batch', 'drop'];

/** A row of the table: each kind of call as quiet/attacked, the worst in ms. */
export function row(attack: string, quiet: Seen, attacked: Seen, held: boolean): string[] {
  const pair = (kind: CallKind): string =>
    kind in attacked.worstMs || kind in quiet.worstMs
      ? `${(quiet.worstMs[kind] ?? 0).toFixed(0)}/${(attacked.worstMs[kind] ?? 0).toFixed(0)}`
      : '-';
  const each = (value: (program: ProgramSeen) => number): string =>
    attacked.programs.map((program) => value(program).toFixed(0)).join(' ');
  const rssBefore = (name: string): number => quiet.programs.find((program) => program.name === name)?.rssMb ?? 0;
  return [
    attack,
    ...shownKinds.map(pair),
    `${attacked.streamErrors.length}/${attacked.streams}`,
    attacked.silenceMs.toFixed(0),
    attacked.webhooks === 0 ? '-' : attacked.webhookLateMs.toFixed(0),
    each((program) => loopDelayMs(program, attacked.seconds)),
    each((program) => program.rssMb - rssBefore(program.name)),
    held ? 'held' : 'FAILED',
  ];
}

const headings: readonly string[] = [
  'attack',
  ...shownKinds,
  'stream errors',
  'silence',
  'webhook late',
  'loop p99 (api control generate)',
  'MB grown',
  '',
];

/** Times in ms. */
export function table(rows: readonly (readonly string[])[]): string {
  const all = [headings, ...rows];
  const widths = headings.map((_, at) => Math.max(...all.map((cells) => (cells[at] ?? '').length)));
  return all
    .map((cells) =>
      cells
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
