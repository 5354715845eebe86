import { existsSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from './project-imports.js';

export interface PythonEnvironment {
  /** Its programs; there only if it is installed. */
  readonly bin: string;
  readonly installed: boolean;
}

/** A virtual environment as test/slow/venv.sh makes it. */
export function pythonEnvironment(name: string): PythonEnvironment {
  const folder = path.join(projectRoot, 'node_modules/.cache/eyrie-venv', name);
  return { bin: path.join(folder, 'bin'), installed: existsSync(path.join(folder, 'installed.txt')) };
}
