import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Attack } from './attack.js';

const drop =
  '{"custom_id":"a","method":"POST","url":"/v1/completions","body":{"model":"eyrie-demo","prompt":"a","max_tokens":1}}\n';

/** Nested folders whose path is longer than the system takes at once: made step by step. */
async function tooDeep(folder: string): Promise<void> {
  const start = process.cwd();
  process.chdir(folder);
  for (let depth = 0; depth < 25; depth++) {
    const name = 'd'.repeat(200);
    await mkdir(name).catch(() => undefined);
    process.chdir(name);
  }
  await writeFile('deep.jsonl', drop);
  process.chdir(start);
}

const needsFolder = (attacker: { readonly target: { readonly inbox: string | null } }): string => {
  if (attacker.target.inbox === null) throw new Error('The store is no folder.');
  return attacker.target.inbox;
};

export const inboxAttacks: readonly Attack[] = [
  {
    name: 'an inbox that cannot be read',
    needs: 'folder',
    prepare: (attacker, signal) => {
      const inbox = needsFolder(attacker);
      return Promise.resolve(async () => {
        // Another user's, as a copy with a strict umask leaves it; the test's own user can take its rights from itself.
        const asOther = async (file: string, mode: number): Promise<void> => {
          await chmod(file, process.getuid?.() === 0 ? mode : 0);
          if (process.getuid?.() === 0) await chown(file, 65534, 65534);
        };
        await mkdir(path.join(inbox, 'private'));
        await asOther(path.join(inbox, 'private'), 0o700);
        await writeFile(path.join(inbox, 'private.jsonl'), drop);
        await asOther(path.join(inbox, 'private.jsonl'), 0o600);
        attacker.count('unreadable');
        await sleep(2000, undefined, { signal }).catch(() => undefined);
        await tooDeep(inbox);
        attacker.count('too deep');
      });
    },
    // By the program, as the paths are longer than a call to the system takes.
    after: async (attacker) => {
      await promisify(execFile)('find', [needsFolder(attacker), '-mindepth', '1', '-delete']);
    },
  },
  {
    name: 'thousands of drops',
    needs: 'folder',
    prepare: (attacker, signal) => {
      const inbox = needsFolder(attacker);
      return Promise.resolve(() =>
        attacker.lanes(4, signal, async (lane, round) => {
          await writeFile(path.join(inbox, `m-${lane}-${round}.${round % 2 === 0 ? 'jsonl' : 'txt'}`), drop);
          attacker.count('drop');
          if (round % 50 === 49) await sleep(20);
        }),
      );
    },
  },
];
