import type { Multipart, MultipartFile } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import { bounds, type BoundName } from '../domain/bounds.js';
import { EyrieError } from '../domain/errors.js';
import { refuseCompressed } from './json-body.js';

export interface FormShape {
  /** Name of the one part that is a file. */
  readonly file: string;
  readonly fileBytesMax: number;
  /** What refusals for the file's size are counted by. */
  readonly fileBound: BoundName;
  readonly fields: readonly string[];
}

export interface FormFile {
  readonly filename: string;
  /** Throws when the file is too large or the upload is cut off. Must be read before `fields`. */
  readonly content: AsyncIterable<Uint8Array>;
  /** All text fields, those behind the file too: reads the form to its end. */
  readonly fields: () => Promise<ReadonlyMap<string, string>>;
}

const limits = Object.freeze({
  files: 1,
  fields: bounds.formFieldsMax,
  parts: bounds.formFieldsMax + 1,
  fieldSize: bounds.formFieldBytesMax,
  // Counted by `bounded`, which can tell the client while the upload is still running.
  fileSize: Number.POSITIVE_INFINITY,
  headerPairs: 32,
});

/** Frame and text fields around the file. */
const frameBytesMax = (bounds.formFieldsMax + 1) * bounds.formFieldBytesMax;

const tooLarge = ({ file, fileBytesMax, fileBound }: FormShape): EyrieError =>
  new EyrieError('file_too_large', `'${file}' is too large: at most ${fileBytesMax} bytes are allowed. Split it.`, {
    param: file,
    bound: fileBound,
  });

/** Errors of the form parser, in our words. */
function toFormError(error: unknown): EyrieError {
  if (error instanceof EyrieError) return error;
  const { code, message = '' } = error as { code?: string; message?: string };
  const details = { cause: error };
  if (code === 'FST_FILES_LIMIT')
    return new EyrieError('invalid_value', 'Only one file may be sent per call.', details);
  if (code === 'FST_FIELDS_LIMIT' || code === 'FST_PARTS_LIMIT')
    return new EyrieError('invalid_value', `A form may hold at most ${bounds.formFieldsMax} fields.`, {
      ...details,
      bound: 'formFieldsMax',
    });
  if (code === 'FST_PROTO_VIOLATION')
    return new EyrieError('unknown_parameter', 'The form holds a field with a forbidden name.', details);
  if (code === 'FST_MP_PREMATURE_CLOSE' || code === 'ECONNRESET' || /unexpected end|terminated early/i.test(message))
    return new EyrieError('upload_incomplete', 'The upload ended before it was complete. Send it again.', details);
  return new EyrieError('invalid_value', 'The body is not well-formed multipart/form-data.', details);
}

async function* bounded(file: MultipartFile['file'], shape: FormShape): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const chunk of file as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > shape.fileBytesMax) throw tooLarge(shape);
      yield chunk;
    }
  } catch (error) {
    throw toFormError(error);
  }
}

class FormFields {
  readonly values = new Map<string, string>();
  readonly #shape: FormShape;

  constructor(shape: FormShape) {
    this.#shape = shape;
  }

  take(part: Multipart): void {
    const name = part.fieldname;
    if (part.type === 'file') throw unknownField(name);
    if (name === this.#shape.file)
      throw new EyrieError('invalid_type', `The part '${name}' must be a file (with curl: -F ${name}=@PATH).`, {
        param: name,
      });
    if (!this.#shape.fields.includes(name)) throw unknownField(name);
    if (this.values.has(name))
      throw new EyrieError('invalid_value', `The field '${name}' was sent more than once.`, { param: name });
    if (typeof part.value !== 'string' || part.valueTruncated)
      throw new EyrieError('invalid_type', `The field '${name}' must be a short text.`, {
        param: name,
        bound: part.valueTruncated ? 'formFieldBytesMax' : null,
      });
    this.values.set(name, part.value);
  }
}

function unknownField(name: string | undefined): EyrieError {
  const shown = (name ?? '').slice(0, 60);
  return new EyrieError('unknown_parameter', `Unknown parameter: '${shown}'. Remove it, or check its spelling.`, {
    param: shown,
  });
}

/**
 * Reads a form with one file in one pass and hands the file to `store` while it arrives; nothing is held whole. The text fields may
 * stand before or behind the file. Errors are thrown while the client may still be sending.
 */
export async function readUploadForm<T>(
  request: FastifyRequest,
  shape: FormShape,
  store: (file: FormFile) => Promise<T>,
): Promise<T> {
  refuseCompressed(request.raw);
  if (!/^multipart\/form-data\s*;.*boundary=/i.test(request.headers['content-type'] ?? ''))
    throw new EyrieError('unsupported_media_type', 'The file must be sent as multipart/form-data.', {
      param: 'content-type',
    });
  if (Number(request.headers['content-length'] ?? 0) > shape.fileBytesMax + frameBytesMax) throw tooLarge(shape);
  const fields = new FormFields(shape);
  const parts = request.parts({ limits });
  const next = async (): Promise<Multipart | null> => {
    try {
      const { value, done } = await parts.next();
      return done ? null : value;
    } catch (error) {
      throw toFormError(error);
    }
  };
  for (let part = await next(); part; part = await next()) {
    if (part.type === 'file' && part.fieldname === shape.file)
      return store({
        filename: part.filename || 'upload',
        content: bounded(part.file, shape),
        fields: async () => {
          for (let rest = await next(); rest; rest = await next()) fields.take(rest);
          return fields.values;
        },
      });
    fields.take(part);
  }
  throw new EyrieError('missing_required_parameter', `Missing required parameter: '${shape.file}'.`, {
    param: shape.file,
  });
}
