import { EyrieError } from './errors.js';
import type { Endpoint } from './served-model.js';

/**
 * Requests in the words of other batch services, told by their shape alone:
 *
 *     { "recordId": "r-1", "modelInput": { "prompt": … } }                a completion
 *     { "recordId": "r-1", "modelInput": { "messages": […], "system": … } }   a chat
 *     { "custom_id": "c-1", "params": { "messages": […], "system": … } }      a chat
 *
 * Their meaning is that of one OpenAI line; the file itself is never rewritten. What has two meanings is refused. Members that
 * are not named here keep their names, so that the check of the body judges them as it judges any other.
 */
export interface ForeignLine {
  readonly custom_id: unknown;
  readonly method: 'POST';
  readonly url: Endpoint;
  readonly body: Readonly<Record<string, unknown>>;
}

type Members = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const has = (line: Members, name: string): boolean => line[name] !== undefined && line[name] !== null;

/** Other names of members of a body. */
const renamed: Readonly<Record<string, string>> = Object.freeze({
  stop_sequences: 'stop',
  stopSequences: 'stop',
  max_tokens_to_sample: 'max_tokens',
  max_gen_len: 'max_tokens',
  maxTokens: 'max_tokens',
  topP: 'top_p',
  topK: 'top_k',
});

/** Says which service's model is meant to read the body; nothing about the text. */
const dropped = new Set(['anthropic_version']);

const refuse = (message: string, param: string): EyrieError => new EyrieError('invalid_request', message, { param });

/** `system` beside the messages is the system message before them. */
function withSystem(messages: unknown, system: unknown): unknown {
  return Array.isArray(messages) ? [{ role: 'system', content: system }, ...(messages as unknown[])] : messages;
}

function toBody(input: Members, root: string, model: string): Record<string, unknown> {
  const body: Record<string, unknown> = { model };
  const from = new Map<string, string>();
  for (const [name, value] of Object.entries(input)) {
    if (value === null || name === 'system' || dropped.has(name)) continue;
    const to = Object.hasOwn(renamed, name) ? (renamed[name] ?? name) : name;
    const earlier = from.get(to);
    if (earlier !== undefined)
      throw refuse(`'${earlier}' and '${name}' say the same; give one of them.`, `${root}.${name}`);
    from.set(to, name);
    // Not by assignment: a member named __proto__ must stay one.
    Object.defineProperty(body, to, { value, enumerable: true, configurable: true, writable: true });
  }
  if (has(input, 'system')) body['messages'] = withSystem(body['messages'], input['system']);
  return body;
}

function toLine(customId: unknown, input: unknown, root: string, model: string): ForeignLine {
  if (!isObject(input)) throw refuse(`Invalid ${root}: an object is required.`, root);
  const prompt = has(input, 'prompt');
  const messages = has(input, 'messages');
  if (prompt === messages)
    throw refuse(
      prompt
        ? `'${root}' holds a prompt and messages; one of them is required.`
        : `'${root}' holds neither a prompt nor messages; one of them is required.`,
      root,
    );
  if (prompt && has(input, 'system'))
    throw refuse(`'system' goes with messages only; write it into the prompt.`, `${root}.system`);
  return {
    custom_id: customId,
    method: 'POST',
    url: prompt ? '/v1/completions' : '/v1/chat/completions',
    body: toBody(input, root, model),
  };
}

/**
 * The line as an OpenAI line when it is written in another service's words, else null: whatever has a `body`, a `url` or a
 * `method` is meant as an OpenAI line. `model` is taken where none is named. Throws `invalid_request` that names the member.
 */
export function fromForeignLine(line: Members, model: string): ForeignLine | null {
  if (has(line, 'body') || has(line, 'url') || has(line, 'method')) return null;
  const params = has(line, 'params');
  const modelInput = has(line, 'modelInput');
  if (params && modelInput)
    throw refuse(`The line holds 'params' and 'modelInput'; one of them is required.`, 'modelInput');
  if (params) return toLine(line['custom_id'], line['params'], 'params', model);
  if (modelInput) return toLine(line['recordId'], line['modelInput'], 'modelInput', model);
  return null;
}

/** The member that holds a line's id. */
export const idMember = (line: Members): 'custom_id' | 'recordId' =>
  !has(line, 'custom_id') && has(line, 'modelInput') ? 'recordId' : 'custom_id';
