import { z } from 'zod';
import type { World } from '../../app/world.js';
import { modelObject, toModelObject } from '../../contract/model-object.js';
import { defineRoute, type ApiRoute } from '../api-route.js';
import { checkModel } from '../check-model.js';

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
        checkModel(model, name);
        return toModelObject(model);
      },
    }),
  ];
}
