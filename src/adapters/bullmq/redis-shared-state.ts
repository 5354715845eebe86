import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { bounds } from '../../domain/bounds.js';
import type { Claim } from '../../domain/claims.js';
import type { TokenTake } from '../../domain/token-bucket.js';
import type { Usage, UsageChange } from '../../domain/usage.js';
import type { SharedState } from '../../ports/shared-state.js';
import type { QueueConnection } from './queue-connection.js';
import type { QueueSettings } from './queue-settings.js';
import {
  changeUsageScript,
  claimScript,
  leaseScript,
  settleUsageScript,
  takeTokenScript,
  unclaimScript,
} from './shared-scripts.js';

const takeAnswer = z.tuple([z.number(), z.coerce.number()]);

const orNull = z.string().transform((text) => (text === '' ? null : Number(text)));
const usageAnswer = z
  .tuple([orNull, z.coerce.number(), z.coerce.number(), orNull])
  .transform(([counted, added, epoch, countAs]): Usage => ({ counted, added, epoch, countAs }));

const claimsAnswer = z.array(z.string());

/** The state that all processes share, in Redis. Its clock is that of the server, so theirs need not agree. */
export class RedisSharedState implements SharedState {
  readonly #connection: QueueConnection;
  readonly #settings: QueueSettings;
  readonly #self = randomUUID();

  constructor(connection: QueueConnection, settings: QueueSettings) {
    this.#connection = connection;
    this.#settings = settings;
  }

  async lease(name: string, ms: number): Promise<boolean> {
    return (await this.#run(leaseScript, 'lease', name, this.#self, ms)) === 1;
  }

  async takeToken(name: string, perMinute: number): Promise<Pick<TokenTake, 'taken' | 'left'>> {
    const [taken, left] = takeAnswer.parse(await this.#run(takeTokenScript, 'tokens', name, perMinute));
    return { taken: taken === 1, left };
  }

  async changeUsage(name: string, { amount, before, epoch }: UsageChange, recountMs: number): Promise<Usage> {
    const answer = await this.#run(
      changeUsageScript,
      'usage',
      name,
      amount,
      before,
      epoch,
      recountMs,
      bounds.usageKeptMs,
    );
    return usageAnswer.parse(answer);
  }

  async settleUsage(name: string, epoch: number, counted: number): Promise<Usage> {
    return usageAnswer.parse(await this.#run(settleUsageScript, 'usage', name, epoch, counted, bounds.usageKeptMs));
  }

  async claim(name: string, { claimId, id, amount }: Claim, keptMs: number): Promise<readonly Claim[]> {
    const answer = claimsAnswer.parse(await this.#run(claimScript, 'claims', name, claimId, id, amount, keptMs));
    const earlier: Claim[] = [];
    for (let at = 0; at < answer.length; at += 3) {
      const [earlierId = '', earlierOf = '', earlierAmount = '0'] = answer.slice(at, at + 3);
      earlier.push({ claimId: earlierId, id: earlierOf, amount: Number(earlierAmount) });
    }
    return earlier;
  }

  async unclaim(name: string, claimId: string): Promise<{ readonly wasThere: boolean }> {
    return { wasThere: (await this.#run(unclaimScript, 'claims', name, claimId)) === 1 };
  }

  #run(script: string, kind: string, name: string, ...args: (string | number)[]): Promise<unknown> {
    const { redis } = this.#connection;
    const key = `${this.#settings.prefix}:${kind}:${name}`;
    return this.#connection.call(() => redis.eval(script, 1, key, ...args));
  }
}
