import { pc } from '../output.js';
import { printable } from '../printable.js';

export interface AnsweredLine {
  readonly question: string;
  readonly answer: string;
  readonly failed: boolean;
}

interface RequestLine {
  readonly custom_id: string;
  readonly body: { readonly prompt?: string; readonly messages?: readonly { readonly content: string }[] };
}

interface ResultLine {
  readonly custom_id: string;
  readonly response: {
    readonly body: {
      readonly choices?: readonly { readonly text?: string; readonly message?: { readonly content: string } }[];
      readonly error?: { readonly message: string };
    };
  } | null;
  readonly error: { readonly message: string } | null;
}

const parseLines = <T>(jsonl: string): T[] =>
  jsonl
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as T);

/** What was asked, without the turn markers of the prompt. */
function questionOf({ body }: RequestLine): string {
  const text = body.prompt ?? body.messages?.at(-1)?.content ?? '';
  return text
    .replaceAll(/<human>: |\n<bot>:$/g, '')
    .replaceAll('\n', ' ')
    .trim();
}

/** Puts requests and results together, in the order of the requests. */
export function matchAnswers(requests: string, results: string): AnsweredLine[] {
  const byId = new Map(parseLines<ResultLine>(results).map((line) => [line.custom_id, line]));
  return parseLines<RequestLine>(requests).map((request) => {
    const result = byId.get(request.custom_id);
    const choice = result?.response?.body.choices?.[0];
    const answer = choice?.text ?? choice?.message?.content;
    return {
      question: questionOf(request),
      answer: (answer ?? result?.error?.message ?? result?.response?.body.error?.message ?? 'no result').trim(),
      failed: answer === undefined,
    };
  });
}

/** A model may write anything: in one row, and nothing that steers the terminal. */
function cut(text: string, width: number): string {
  const row = printable(text.replaceAll(/[\n\t]/g, ' '));
  return row.length <= width ? row : `${row.slice(0, width - 1)}…`;
}

/** Two columns as wide as the terminal allows. */
export function formatTable(lines: readonly AnsweredLine[], columns: number): string {
  const width = Math.max(60, Math.min(columns, 140));
  const left = Math.min(Math.max(...lines.map(({ question }) => question.length), 8), Math.floor(width * 0.68));
  const right = width - left - 3;
  const row = ({ question, answer, failed }: AnsweredLine): string =>
    `${cut(question, left).padEnd(left)}   ${failed ? pc.red(cut(answer, right)) : cut(answer, right)}`;
  return [
    `${pc.bold('prompt'.padEnd(left))}   ${pc.bold('answer')}`,
    pc.dim('─'.repeat(width)),
    ...lines.map(row),
  ].join('\n');
}
