import { errorObject } from '../../contract/error-object.js';
import { EyrieError } from '../../domain/errors.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

/**
 * Parts of the OpenAI API that a text generator has no use for. They are answered with 400, never 501: clients repeat every
 * status of 500 and above. The API document does not list them.
 */
const notOffered = [
  ['/v1/embeddings', 'Embeddings are'],
  ['/v1/moderations', 'Moderation is'],
  ['/v1/responses', 'The Responses API is'],
  ['/v1/images/generations', 'Image generation is'],
] as const;

export const notOfferedRoutes = (): ApiRoute[] =>
  notOffered.map(([path, subject]) =>
    defineRoute({
      method: 'POST',
      path,
      summary: `${subject} not offered: always 400`,
      access: 'any key',
      answer: errorObject,
      handle: () => {
        throw new EyrieError(
          'unsupported_value',
          `${subject} not offered: this service generates text. Use /v1/completions or /v1/chat/completions, or /v1/batches with one of them.`,
        );
      },
    }),
  );
