import pc from 'picocolors';

const painted: Readonly<Record<string, (text: string) => string>> = {
  debug: pc.dim,
  info: pc.green,
  warn: pc.yellow,
  error: pc.red,
};
const hidden = new Set(['level', 'time', 'event', 'program']);

// Escapes and line breaks in a value must not reach the terminal.
const plain = (value: unknown): string =>
  typeof value === 'string' && /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);

/** One JSON log line as one line for people: `12:30:05 info  control  shard.done  batch=… lines=64`. */
export function prettyLine(json: string): string {
  const record = JSON.parse(json) as Record<string, unknown> & {
    level: string;
    time: string;
    event: string;
    program?: string;
  };
  const { level, event, program } = record;
  const fields = Object.entries(record)
    .filter(([name]) => !hidden.has(name))
    .map(([name, value]) => `${pc.dim(`${name}=`)}${plain(value)}`);
  const paint = painted[level] ?? String;
  const time = new Date(record.time).toTimeString().slice(0, 8);
  const name = program === undefined ? '' : `${pc.cyan(program)}  `;
  return `${pc.dim(time)} ${paint(level.padEnd(5))} ${name}${event}  ${fields.join(' ')}`.trimEnd() + '\n';
}
