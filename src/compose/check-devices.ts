import { checkCard } from '../adapters/engine-native/check-card.js';
import { cudaCards } from '../adapters/engine-native/cuda-cards.js';
import { loadAddon } from '../adapters/engine-native/load-addon.js';
import type { NativeCard } from '../adapters/engine-native/native-types.js';
import type { DeviceReport } from '../cli/commands/selfcheck-devices.js';
import { errorCode } from '../domain/errors.js';

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function findCards(): Promise<Pick<DeviceReport, 'cards' | 'whyNoCards'>> {
  let cards: readonly NativeCard[];
  try {
    cards = await cudaCards();
  } catch (error) {
    if (errorCode(error) !== 'unsupported_device') throw error;
    return { cards: [], whyNoCards: messageOf(error) };
  }
  return { cards, whyNoCards: cards.length > 0 ? null : 'the driver names none' };
}

async function checkFirstCard(): Promise<DeviceReport['check']> {
  try {
    return { ok: true, ...(await checkCard()) };
  } catch (error) {
    if (errorCode(error) !== 'unsupported_device') throw error;
    return { ok: false, message: messageOf(error) };
  }
}

/** What this machine can compute with, and whether its first card computes as the CPU does. */
export async function checkDevices(): Promise<DeviceReport> {
  const { cards, whyNoCards } = await findCards();
  const check = cards.length > 0 ? await checkFirstCard() : null;
  return { cpu: loadAddon().supportedIsas(), cards, whyNoCards, check };
}
