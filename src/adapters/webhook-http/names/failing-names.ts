import { bounds } from '../../../domain/bounds.js';

interface Failing {
  untilMs: number;
  restMs: number;
}

/**
 * Names that were not looked up in time, by tenant: for a while they fail at once, longer each time, so that a name whose server
 * never answers does not take a place again and again. What one tenant has made fail is nothing to another.
 */
export class FailingNames {
  readonly #tenants = new Map<string, Map<string, Failing>>();

  has(tenant: string, name: string): boolean {
    const failing = this.#tenants.get(tenant)?.get(name);
    return failing !== undefined && performance.now() < failing.untilMs;
  }

  add(tenant: string, name: string): void {
    let names = this.#tenants.get(tenant);
    if (!names) this.#tenants.set(tenant, (names = new Map()));
    const before = names.get(name)?.restMs ?? bounds.webhookNameRestMs / 2;
    const restMs = Math.min(before * 2, bounds.webhookNameRestMsMax);
    names.delete(name);
    names.set(name, { restMs, untilMs: performance.now() + restMs });
    const [oldest] = names.keys();
    if (names.size > bounds.webhookNamesKept && oldest !== undefined) names.delete(oldest);
  }

  remove(tenant: string, name: string): void {
    const names = this.#tenants.get(tenant);
    if (names?.delete(name) && names.size === 0) this.#tenants.delete(tenant);
  }
}
