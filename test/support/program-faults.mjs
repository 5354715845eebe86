// Preloaded into the compiled programs by `--import` (NODE_OPTIONS): makes the worker fail on marked prompts, and the control
// program on marked batches. Nothing of the programs themselves knows of it. `PROGRAM_FAULTS` names a JSON file, read anew at each
// look, with the members of `Faults` below; `PROGRAM_FAULTS_ROOT` the folder of the compiled programs.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * @typedef {object} Faults
 * @property {number} [crashToken]  A prompt that begins with this token raises SIGSEGV in its worker.
 * @property {number} [throwToken]  A prompt that begins with it makes the engine fail.
 * @property {string} [unfinishable]  The result files of this batch cannot be written.
 */

const program = process.argv[1] ?? '';
const root = process.env.PROGRAM_FAULTS_ROOT ?? '';
/** @returns {Faults} */
const faults = () => JSON.parse(readFileSync(process.env.PROGRAM_FAULTS ?? '', 'utf8'));
const load = (file) => import(pathToFileURL(path.join(root, file)).href);

if (program.endsWith('workers/generate/main.js')) {
  const { NativeEngineAdapter } = await load('src/adapters/engine-native/native-engine.js');
  const { generate } = NativeEngineAdapter.prototype;
  NativeEngineAdapter.prototype.generate = function (request, ...rest) {
    const { crashToken, throwToken } = faults();
    if (request.promptIds[0] === crashToken) process.kill(process.pid, 'SIGSEGV');
    if (request.promptIds[0] === throwToken) return Promise.reject(new Error('A fault of the test.'));
    return generate.call(this, request, ...rest);
  };
}

if (program.endsWith('workers/control/main.js')) {
  const { FolderStore } = await load('src/adapters/folder/folder-store.js');
  const { putStream } = FolderStore.prototype;
  FolderStore.prototype.putStream = function (key, ...rest) {
    const { unfinishable } = faults();
    if (unfinishable && key.includes(`/${unfinishable}/out/`)) return Promise.reject(new Error('A fault of the test.'));
    return putStream.call(this, key, ...rest);
  };
}
