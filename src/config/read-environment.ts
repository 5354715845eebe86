import type { z } from 'zod';
import { EyrieError } from '../domain/errors.js';
import { apiSettings, commonSettings, controlSettings, generateSettings, storeSettings } from './settings.js';

/** Every name of ours; another `EYRIE_` variable is a misspelling and stops the start. */
const known = new Set(
  [commonSettings, apiSettings, controlSettings, generateSettings].flatMap((schema) => Object.keys(schema.shape)),
);
/** Read elsewhere, before any program is chosen. */
const alsoKnown = new Set(['EYRIE_NATIVE_ADDON', 'EYRIE_CUDA_LIBRARY', 'EYRIE_API_URL', 'EYRIE_API_KEY']);

function nearest(name: string): string {
  const score = (other: string): number =>
    Array.from(other).filter((letter, at) => letter === name[at]).length - Math.abs(other.length - name.length);
  return [...known].toSorted((a, b) => score(b) - score(a))[0] ?? '';
}

function read<T extends z.ZodObject>(schema: T, environment: NodeJS.ProcessEnv): z.output<T> {
  for (const name of Object.keys(environment))
    if (name.startsWith('EYRIE_') && !known.has(name) && !alsoKnown.has(name))
      throw new EyrieError(
        'config_invalid',
        `Unknown setting ${name}. Did you mean ${nearest(name)}? docs/operations.md lists all settings.`,
        { param: name },
      );
  const own = Object.fromEntries(Object.keys(schema.shape).map((name) => [name, environment[name] || undefined]));
  const result = schema.safeParse(own);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const name = String(issue?.path[0] ?? '');
  throw new EyrieError(
    'config_invalid',
    `Setting ${name} ${own[name] === undefined ? 'is missing' : 'is not valid'}: ${issue?.message ?? ''}.`,
    {
      param: name,
    },
  );
}

/** The settings of each program, parsed once from the environment. Throws `config_invalid` that names the variable. */
export const readApiSettings = (environment: NodeJS.ProcessEnv) =>
  read(commonSettings.extend(apiSettings.shape), environment);
export const readControlSettings = (environment: NodeJS.ProcessEnv) =>
  read(commonSettings.extend(controlSettings.shape), environment);
/** For commands that work on the object store alone. */
export const readStoreSettings = (environment: NodeJS.ProcessEnv) => read(storeSettings, environment);
export const readGenerateSettings = (environment: NodeJS.ProcessEnv) =>
  read(commonSettings.extend(generateSettings.shape), environment);
