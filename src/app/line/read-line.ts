import { bounds } from '../../domain/bounds.js';
import { EyrieError, errorCode, type ErrorCode } from '../../domain/errors.js';
import { fromForeignLine, idMember } from '../../domain/foreign-line.js';
import { jsonExcess } from '../../domain/json-size.js';
import { isEndpoint, modelNames, servesModel, type Endpoint, type ServedModel } from '../../domain/served-model.js';
import { shown } from '../../contract/shown.js';

/** A line that is a request: who asked, and for what. The body is not checked yet. */
export interface LineEnvelope {
  readonly customId: string;
  readonly endpoint: Endpoint;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A line that is no request. `customId` is there when it could be read, so that the error can be matched to the line. */
export class LineRejection extends EyrieError {
  readonly customId: string | null;

  constructor(code: ErrorCode, message: string, param: string | null, customId: string | null) {
    super(code, message, { param });
    this.customId = customId;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(bytes: Uint8Array): unknown {
  const excess = jsonExcess(bytes);
  if (excess)
    throw new LineRejection(
      'invalid_json_line',
      `The line ${excess.what}. Simplify it, or cut it into several.`,
      null,
      null,
    );
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    const why = cause instanceof SyntaxError ? 'is not parseable as JSON' : 'is not valid UTF-8';
    throw new LineRejection('invalid_json_line', `This line ${why}. Each line must be one JSON object.`, null, null);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The line in OpenAI's words; lines of other services are told by their shape. */
function toOpenAiLine(
  line: Record<string, unknown>,
  model: ServedModel,
  idSeen: string | null,
): Record<string, unknown> {
  try {
    return { ...(fromForeignLine(line, model.id) ?? line) };
  } catch (error) {
    if (!(error instanceof EyrieError)) throw error;
    throw new LineRejection(errorCode(error), error.message, error.param, idSeen);
  }
}

/**
 * Reads the envelope of a batch line: custom_id, method, url, body, and those members of the body without which it is no request
 * at all (model, prompt or messages, no streaming). `endpoint` null takes either endpoint. Throws `LineRejection`.
 */
export function readLine(bytes: Uint8Array | null, endpoint: Endpoint | null, model: ServedModel): LineEnvelope {
  if (bytes === null)
    throw new LineRejection('invalid_json_line', `The line is longer than ${bounds.lineBytesMax} bytes.`, null, null);
  const given = parseJson(bytes);
  if (!isObject(given))
    throw new LineRejection(
      'invalid_json_line',
      'The line is JSON, but not an object. Each line must be one JSON object.',
      null,
      null,
    );

  const idField = idMember(given);
  const idGiven = given[idField];
  const idSeen = typeof idGiven === 'string' ? idGiven.slice(0, bounds.customIdCharsMax) : null;
  const line = toOpenAiLine(given, model, idSeen);
  const reject = (code: ErrorCode, message: string, param: string): never => {
    throw new LineRejection(code, message, param, idSeen);
  };
  for (const field of ['custom_id', 'method', 'url', 'body'] as const)
    if (line[field] === undefined || line[field] === null) {
      const name = field === 'custom_id' ? idField : field;
      reject('missing_required_parameter', `Missing required parameter: '${name}'.`, name);
    }

  const { custom_id: customId, method, url, body } = line;
  if (typeof customId !== 'string' || customId.length === 0 || customId.length > bounds.customIdCharsMax)
    return reject(
      'invalid_custom_id',
      `Invalid ${idField} ${shown(customId)}: a string of 1 to ${bounds.customIdCharsMax} characters is required.`,
      idField,
    );
  if (method !== 'POST')
    return reject('invalid_method', `Invalid method ${shown(method)}: only "POST" is supported.`, 'method');
  if (!isEndpoint(url) || (endpoint !== null && url !== endpoint)) {
    if (given['url'] === undefined)
      return reject(
        'invalid_url',
        `This line is a request for ${String(url)} by what it holds, but the batch's endpoint is "${endpoint}".`,
        'url',
      );
    return reject(
      'invalid_url',
      `Invalid url ${shown(url)}: ${endpoint === null ? 'it must be /v1/completions or /v1/chat/completions' : `it must equal the batch's endpoint "${endpoint}"`}.`,
      'url',
    );
  }
  if (!isObject(body)) return reject('invalid_request', `Invalid body ${shown(body)}: an object is required.`, 'body');

  const name = body['model'];
  if (typeof name !== 'string' || name === '')
    return reject('invalid_request', "Missing required parameter: 'model'.", 'body.model');
  if (!servesModel(model, name))
    return reject(
      'model_not_found',
      `The model ${shown(name)} does not exist. Served here: ${modelNames(model)}.`,
      'body.model',
    );
  const content = url === '/v1/completions' ? 'prompt' : 'messages';
  if (body[content] === undefined || body[content] === null)
    return reject('invalid_request', `Missing required parameter: '${content}'.`, `body.${content}`);
  if (body['stream'] === true)
    return reject('streaming_unsupported', 'Streaming is not supported in a batch; leave "stream" out.', 'body.stream');
  return { customId, endpoint: url, body };
}
