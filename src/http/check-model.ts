import { shown } from '../contract/shown.js';
import { EyrieError } from '../domain/errors.js';
import { servesModel, type ServedModel } from '../domain/served-model.js';

/** Throws `model_not_found` for a name that the model does not go by. */
export function checkModel(model: ServedModel, name: string): void {
  if (servesModel(model, name)) return;
  throw new EyrieError('model_not_found', `The model ${shown(name)} does not exist. GET /v1/models lists them.`, {
    param: 'model',
  });
}
