import { z } from 'zod';
import type { World } from '../../app/world.js';
import { modelObject, toModelObject } from '../../contract/model-object.js';
import { shown } from '../../contract/parse.js';
import { EyrieError } from '../../domain/errors.js';
import { servesModel } from '../../domain/served-model.js';
import { defineRoute, type ApiRoute } from '../api-route.js';

export function modelRoutes({ model }: Pick<World, 'model'>): ApiRoute[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/v1/models',
      summary: 'List the models',
      access: 'any key',
      answer: z.object({ object: z.literal('list'), data: z.array(modelObject) }),
      handle: () => ({ object: 'list', data: [toModelObject(model)] }),
    }),
    defineRoute({
      method: 'GET',
      // Model ids hold slashes, raw or as %2F.
      path: '/v1/models/*',
      summary: 'Show a model',
      access: 'any key',
      answer: modelObject,
      handle: ({ params }) => {
        const name = params['*'] ?? '';
        if (!servesModel(model, name))
          throw new EyrieError(
            'model_not_found',
            `The model ${shown(name)} does not exist. GET /v1/models lists them.`,
            {
              param: 'model',
            },
          );
        return toModelObject(model);
      },
    }),
  ];
}
