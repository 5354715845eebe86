import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as openai from 'openai';
import { projectRoot } from '../support/project-imports.js';
import { pythonEnvironment } from '../support/python-environment.js';

/** The client's module; its types are those of the version among the service's own packages. */
export type Client = typeof openai;

const npm7 = path.join(projectRoot, 'test/conformance/npm-7/node_modules/openai/index.mjs');

export const npmClients = [
  { major: 6, missing: null, load: (): Promise<Client> => import('openai') },
  {
    major: 7,
    missing: existsSync(npm7) ? null : 'the npm client 7 is not installed: see test/slow/conformance.sh',
    load: async (): Promise<Client> => (await import(pathToFileURL(npm7).href)) as Client,
  },
] as const;

export const pythonClients = [2, 3].map((major) => {
  const { bin, installed } = pythonEnvironment(`openai-${major}`);
  return {
    major,
    missing: installed ? null : `the Python client ${major} is not installed: it needs python3 with venv, and PyPI`,
    python: path.join(bin, 'python'),
  };
});
