import type { DeviceReport } from '../../domain/gpu/device-report.js';
import { pc, print } from '../output.js';
import { sizeText } from '../size-text.js';
import { textTable } from '../text-table.js';

function deviceText({ cpu, cards, whyNoCards, check }: DeviceReport): string {
  const rows = cards.map((card) => [
    card.name,
    `sm_${card.computeCapability.replace('.', '')}`,
    `${sizeText(card.freeBytes)} of ${sizeText(card.memoryBytes)} free`,
  ]);
  const checked =
    check === null
      ? ''
      : check.ok
        ? `\n${pc.green('ok')} ${check.checks} checks of the first card in ${check.seconds.toFixed(1)} s`
        : `\n${pc.red('error')} ${check.message}`;
  return (
    [
      `${pc.bold('CPU')}    ${cpu.join(', ')}`,
      cards.length > 0
        ? `${pc.bold('cards')}\n${textTable(rows, '  ')}`
        : `${pc.bold('cards')}  none: ${whyNoCards ?? ''}`,
    ].join('\n') + checked
  );
}

/**
 * `eyrie selfcheck` without a model. Returns the exit code: 1 when a card computes wrongly, or none is there though one was asked for
 * (`needsCard`).
 */
export function printDevices(report: DeviceReport, json: boolean, needsCard: boolean): number {
  print(
    json
      ? JSON.stringify({
          schema_version: 1,
          cpu: report.cpu,
          cards: report.cards.map((card) => ({
            name: card.name,
            compute_capability: card.computeCapability,
            memory_bytes: card.memoryBytes,
            free_bytes: card.freeBytes,
          })),
          why_no_cards: report.whyNoCards,
          check: report.check,
        })
      : deviceText(report),
  );
  return report.check?.ok === false || (needsCard && report.cards.length === 0) ? 1 : 0;
}
