import { timingSafeEqual } from 'node:crypto';
import { apiKeyHash, keyIdOf } from '../../domain/api-key.js';
import { bounds } from '../../domain/bounds.js';
import { errorCode } from '../../domain/errors.js';
import { keys } from '../../domain/object-keys.js';
import type { Scope } from '../../domain/scopes.js';
import type { World } from '../world.js';
import { findKey, type FoundKey } from './find-key.js';
import { KeyIds } from './key-ids.js';

/** Whom a key stands for. */
export interface KeyHolder {
  readonly tenant: string;
  /** null: a key of the configuration, which has no id. */
  readonly keyId: string | null;
  readonly scopes: readonly Scope[];
}

interface Look {
  readonly atMs: number;
  readonly found: Promise<FoundKey | null>;
  /** The same once it is there, until then as it was before. */
  key: FoundKey | null;
  /** When a use was last noted, Unix ms; null: not by this look. */
  notedMs: number | null;
}

/** Compared with where there is no key, so that the work is the same. */
const noHash = Buffer.alloc(32);

/** Looks stand in a map in their order. */
function keep(looks: Map<string, Look>, keyId: string, look: Look): void {
  looks.delete(keyId);
  looks.set(keyId, look);
  const [oldest] = looks.keys();
  if (looks.size > bounds.keysCachedMax && oldest !== undefined) looks.delete(oldest);
}

/**
 * Finds out whom a key stands for. Looks into the store are by the public id of a key and believed for `bounds.keyFreshMs`, hits
 * and misses alike: a revoked key works no longer than that. The secret is compared on each call, in a time that tells nothing of
 * it. The oldest looks are dropped when there are too many, hits for hits and misses for misses; a failed one is not kept.
 */
export class KeyRing {
  readonly #world: Pick<World, 'store' | 'clock' | 'tenants' | 'log'>;
  readonly #configuredScopes: readonly Scope[];
  readonly #ids: KeyIds;
  /** Of keys that were found. An old one is believed no more, but tells that a look of its own is worth its cost. */
  readonly #looks = new Map<string, Look>();
  /** Of ids that were not found, or not yet: however many are tried, no key is dropped for them. */
  readonly #guesses = new Map<string, Look>();

  /** `configuredScopes`: what the keys of the configuration may be used for. */
  constructor(world: Pick<World, 'store' | 'clock' | 'tenants' | 'log'>, configuredScopes: readonly Scope[]) {
    this.#world = world;
    this.#ids = new KeyIds(world);
    this.#configuredScopes = configuredScopes;
  }

  /**
   * null: unknown, mistyped, revoked or expired. `doubtful`: the caller's keys were wrong lately; one that was not found here before
   * is looked for among all keys, together with those of others, so that guesses cost the store no reads. Throws `store_unavailable`.
   */
  async find(text: string, doubtful = false): Promise<KeyHolder | null> {
    const configured = await this.#world.tenants.tenantOfKey(text);
    if (configured !== null) return { tenant: configured, keyId: null, scopes: this.#configuredScopes };
    const keyId = keyIdOf(text);
    return keyId === null ? null : this.#findStored(keyId, text, doubtful);
  }

  /**
   * The tenant of a key that is known here, or was when it was last looked for: only to tell callers apart, before `find` says
   * whether the key works. Nothing is looked for.
   */
  knownTenant(text: string): string | null {
    const configured = this.#world.tenants.knownTenantOfKey(text);
    if (configured !== null) return configured;
    const keyId = keyIdOf(text);
    const found = keyId === null ? null : this.#looks.get(keyId)?.key;
    if (!found || found.revokedMs !== null) return null;
    return timingSafeEqual(apiKeyHash(text), Buffer.from(found.key.hash, 'hex')) ? found.key.tenant : null;
  }

  /** The next call looks into the store again. */
  forget(keyId: string): void {
    this.#looks.delete(keyId);
    this.#guesses.delete(keyId);
  }

  async #findStored(keyId: string, text: string, doubtful: boolean): Promise<KeyHolder | null> {
    const isKnown = this.#looks.has(keyId) || this.#isFresh(this.#guesses.get(keyId));
    if (doubtful && !isKnown && !(await this.#ids.has(keyId))) return null;
    const look = this.#look(keyId);
    const found = await look.found;
    const fits = timingSafeEqual(apiKeyHash(text), found ? Buffer.from(found.key.hash, 'hex') : noHash);
    if (!found || !fits || found.revokedMs !== null) return null;
    const now = this.#world.clock.now();
    const { tenant, scopes, expiresMs } = found.key;
    if (expiresMs !== null && now >= expiresMs) return null;
    if (now - (look.notedMs ?? found.usedMs ?? -Infinity) >= bounds.keyUseNotedMs) {
      look.notedMs = now;
      void this.#noteUse(keyId);
    }
    return { tenant, keyId, scopes };
  }

  #isFresh(look: Look | undefined): boolean {
    return look !== undefined && this.#world.clock.monotonic() - look.atMs < bounds.keyFreshMs;
  }

  #look(keyId: string): Look {
    const hit = this.#looks.get(keyId);
    const known = hit ?? this.#guesses.get(keyId);
    if (known && this.#isFresh(known)) return known;
    const look: Look = {
      atMs: this.#world.clock.monotonic(),
      found: findKey(this.#world.store, keyId),
      key: hit?.key ?? null,
      notedMs: null,
    };
    const looks = hit ? this.#looks : this.#guesses;
    keep(looks, keyId, look);
    look.found.then(
      (found) => {
        look.key = found;
        const right = found ? this.#looks : this.#guesses;
        if (right === looks || looks.get(keyId) !== look) return;
        looks.delete(keyId);
        keep(right, keyId, look);
      },
      () => {
        if (looks.get(keyId) !== look) return;
        if (hit) looks.set(keyId, hit);
        else looks.delete(keyId);
      },
    );
    return look;
  }

  /** Nobody waits for it, and nothing depends on it. */
  async #noteUse(keyId: string): Promise<void> {
    try {
      await this.#world.store.put(keys.apiKeyUsed(keyId), Buffer.of());
    } catch (error) {
      this.#world.log.warn('key.use_not_noted', { keyId, code: errorCode(error) });
    }
  }
}
