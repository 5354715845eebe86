import type { StructuredOutput } from '../../contract/structured-output.js';
import { bounds, type BoundName } from '../../domain/bounds.js';
import { EyrieError, errorCode } from '../../domain/errors.js';
import type { Grammar, GrammarKind } from '../../domain/grammar.js';
import { jsonExcess } from '../../domain/json-size.js';
import { larkExcess } from '../../domain/lark-size.js';
import { schemaExcess } from '../../domain/schema-size.js';
import type { Grammars } from '../../ports/grammars.js';

/** A constraint as a body states it. */
interface Asked {
  readonly kind: GrammarKind;
  /** The field that holds it. */
  readonly param: string;
  readonly value: unknown;
}

function asked(body: StructuredOutput): Asked[] {
  const { response_format: format, structured_outputs: vllm } = body;
  const one = (kind: GrammarKind, param: string, value: unknown): Asked[] =>
    value === undefined || value === false ? [] : [{ kind, param, value }];
  return [
    ...(format?.type === 'json_object' ? one('json_object', 'response_format', true) : []),
    ...(format?.type === 'json_schema'
      ? one('json_schema', 'response_format.json_schema.schema', format.json_schema.schema)
      : []),
    ...one('json_schema', 'guided_json', body.guided_json),
    ...one('regex', 'guided_regex', body.guided_regex),
    ...one('choice', 'guided_choice', body.guided_choice),
    ...one('lark', 'guided_grammar', body.guided_grammar),
    ...one('json_schema', 'structured_outputs.json', vllm?.json),
    ...one('json_object', 'structured_outputs.json_object', vllm?.json_object),
    ...one('regex', 'structured_outputs.regex', vllm?.regex),
    ...one('choice', 'structured_outputs.choice', vllm?.choice),
    ...one('lark', 'structured_outputs.grammar', vllm?.grammar),
  ];
}

function refuse(param: string, reason: string, bound: BoundName | null = null): never {
  throw new EyrieError('invalid_value', `Invalid value for '${param}': ${reason}`.replace(/\.?$/, '.'), {
    param,
    bound,
  });
}

function checkSize(text: string, param: string): string {
  const bytes = Buffer.byteLength(text);
  if (bytes > bounds.grammarBytesMax)
    refuse(param, `it has ${bytes} bytes; at most ${bounds.grammarBytesMax} are allowed`, 'grammarBytesMax');
  return text;
}

function schemaText(text: string, param: string): string {
  const excess = jsonExcess(Buffer.from(checkSize(text, param)));
  if (excess) refuse(param, `it ${excess.what}`, excess.bound);
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch {
    refuse(param, 'it is not JSON');
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema))
    refuse(param, 'a JSON schema is an object');
  return text;
}

function textOf({ kind, param, value }: Asked): string {
  if (kind === 'json_object') return '';
  if (typeof value !== 'string') return checkSize(JSON.stringify(value), param);
  return kind === 'json_schema' ? schemaText(value, param) : checkSize(value, param);
}

/** What compiling costs is bounded before it is begun. */
function checkCost({ kind, text }: Grammar, param: string): void {
  const excess = kind === 'json_schema' ? schemaExcess(JSON.parse(text)) : kind === 'lark' ? larkExcess(text) : null;
  if (excess) refuse(param, excess.what, excess.bound);
}

/**
 * The grammar that a body asks for, compiled once to see that it can be; null = any text. `leadingSpace`: the answer's text begins
 * with one. Throws an `EyrieError` that names the field.
 */
export async function toGrammar(
  body: StructuredOutput,
  leadingSpace: boolean,
  grammars: Grammars,
): Promise<Grammar | null> {
  const [first, second] = asked(body);
  if (!first) return null;
  if (second) refuse(second.param, `'${first.param}' is there too; give one of them`);
  const grammar = { kind: first.kind, text: textOf(first), leadingSpace };
  checkCost(grammar, first.param);
  try {
    await grammars.check(grammar);
  } catch (error) {
    const code = errorCode(error);
    const { message } = error as Error;
    if (code === 'invalid_request') refuse(first.param, message);
    if (code !== 'unsupported_device') throw error;
    throw new EyrieError('unsupported_value', `'${first.param}' cannot be followed here: ${message}.`, {
      param: first.param,
      cause: error,
    });
  }
  return grammar;
}
