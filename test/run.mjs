#!/usr/bin/env node
// Runs the whole suite, one part after another, and closes with one line that counts them all. Written without TypeScript and
// packages, so that it can say what is missing. Options: the names of parts to run.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');
const reports = path.join(root, 'node_modules/.cache/eyrie-test');
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

const bin = (name) => path.join(root, 'node_modules/.bin', name);
const totals = { passed: 0, failed: 0, skipped: 0 };
const reasons = [];

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  return status ?? 1;
}

/** A part that either holds or does not, such as lint: counts as one test. */
function check(name, command, args) {
  const passed = run(command, args) === 0;
  totals[passed ? 'passed' : 'failed']++;
  process.stdout.write(`${passed ? 'ok' : 'FAILED'}: ${name}\n`);
}

function vitest(name, ...folders) {
  const file = path.join(reports, `${name}.json`);
  const status = run(bin('vitest'), [
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...folders,
  ]);
  if (!existsSync(file)) {
    totals.failed++;
    return;
  }
  const report = JSON.parse(readFileSync(file, 'utf8'));
  totals.passed += report.numPassedTests;
  totals.failed += report.numFailedTests;
  totals.skipped += report.numPendingTests + report.numTodoTests;
  for (const suite of report.testResults)
    for (const test of suite.assertionResults)
      if (test.status === 'skipped' || test.status === 'pending') reasons.push(test.fullName);
  // A file that cannot be loaded has no tests to count.
  if (status !== 0 && report.numFailedTests === 0) totals.failed++;
}

/** The native unit tests, by ctest. */
function native() {
  const { status, stdout } = spawnSync('bash', ['native/test.sh'], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.stdout.write(stdout);
  const summary = /(\d+) tests failed out of (\d+)/.exec(stdout);
  const [failed, all] = summary ? [Number(summary[1]), Number(summary[2])] : [1, 1];
  totals.passed += all - failed;
  totals.failed += failed;
  if (status !== 0 && failed === 0) totals.failed++;
}

const parts = {
  lint: () => check('lint', bin('oxlint'), ['--type-aware', '--deny-warnings']),
  format: () => check('format', bin('prettier'), ['--check', '--log-level', 'warn', '.']),
  types: () => check('types', bin('tsc'), ['-p', 'tsconfig.json', '--noEmit']),
  unit: () => vitest('unit', 'test/unit', 'test/docs'),
  native,
  addon: () => vitest('addon', 'test/native'),
  contract: () => vitest('contract', 'test/contract'),
  flow: () => vitest('flow', 'test/flow'),
};

/** Run by name only: their scripts in test/slow install what they need first. */
const slowParts = {
  conformance: () => vitest('conformance', 'test/conformance'),
  'lm-eval': () => vitest('lm-eval', 'test/lm-eval'),
  // One file after the other: nodes that are starved of processor time take one another for dead.
  'redis-modes': () => vitest('redis-modes', '--no-file-parallelism', 'test/redis-modes'),
  // What is measured is one service's: no other beside it.
  isolation: () => vitest('isolation', '--no-file-parallelism', 'test/isolation'),
};

const known = { ...parts, ...slowParts };
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in known));
if (unknown.length > 0) {
  process.stderr.write(`Unknown part ${unknown.join(', ')}. Parts: ${Object.keys(known).join(', ')}.\n`);
  process.exit(2);
}
for (const name of wanted.length > 0 ? Object.keys(known).filter((part) => wanted.includes(part)) : Object.keys(parts))
  known[name]();

for (const reason of reasons) process.stdout.write(`skipped: ${reason}\n`);
process.stdout.write(`\n${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`);
process.exit(totals.failed === 0 ? 0 : 1);
