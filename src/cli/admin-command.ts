import type { Command } from 'commander';
import type { AdminWorld } from './commands/admin-keys.js';

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** `eyrie admin …`: what an operator does straight on the object store that `EYRIE_STORE` names, without a running service. */
export function addAdminCommands(program: Command, openWorld: () => Promise<AdminWorld>): void {
  const admin = program
    .command('admin')
    .description('Operate an installation, on the object store that EYRIE_STORE names.');
  const keys = admin.command('keys').description('API keys: make, list, revoke.');

  keys
    .command('create')
    .description('Make a key. It is printed once, on standard output, and kept nowhere.')
    .requiredOption('--tenant <name>', 'whose key it is')
    .requiredOption('--name <text>', 'what it is for')
    .option('--scope <scope>', 'what it may be used for (may be repeated); all = all but admin', collect, [])
    .option('--expires <time>', 'when it ends by itself, e.g. 12h or 30d (default: never)')
    .option('--json', 'one JSON document', false)
    .action(
      async (options: { tenant: string; name: string; scope: readonly string[]; expires?: string; json: boolean }) => {
        const { createAdminKey } = await import('./commands/admin-keys.js');
        await createAdminKey(await openWorld(), { ...options, expires: options.expires ?? null });
      },
    );

  keys
    .command('list')
    .description("List a tenant's keys, newest first, the revoked ones too.")
    .requiredOption('--tenant <name>', 'whose keys')
    .option('--json', 'one JSON document', false)
    .action(async (options: { tenant: string; json: boolean }) => {
      const { listAdminKeys } = await import('./commands/admin-keys.js');
      await listAdminKeys(await openWorld(), options);
    });

  keys
    .command('revoke')
    .description('Revoke a key for good. Running services refuse it within half a minute.')
    .argument('<id>', 'key_…, as the list shows it')
    .option('--json', 'one JSON document', false)
    .action(async (id: string, options: { json: boolean }) => {
      const { revokeAdminKey } = await import('./commands/admin-keys.js');
      await revokeAdminKey(await openWorld(), id, options);
    });

  admin
    .command('reports')
    .description("List a tenant's reports of bad answers, newest first.")
    .requiredOption('--tenant <name>', 'whose reports')
    .option('--json', 'one JSON document', false)
    .action(async (options: { tenant: string; json: boolean }) => {
      const { listAdminReports } = await import('./commands/admin-reports.js');
      await listAdminReports(await openWorld(), options);
    });
}
