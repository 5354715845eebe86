import { keys } from '../../domain/object-keys.js';
import type { ObjectStore } from '../../ports/object-store.js';
import { createJson } from '../stored-json.js';
import { forRemoval } from './agenda.js';

/**
 * How an input is removed without taking it from a batch that reads it.
 *
 * A batch is accepted, planned, and then reads its input again and again until it has ended. Between the moment at which the accept
 * found the file and the moment at which its batch can be seen any time may pass: a process may stand still. So may the sweep,
 * between the look at what is in use and the delete. Neither can wait for the other, so each first writes and then looks:
 *
 *     batch   writes open marker and submit.json (accept)  →  looks for closed.json (plan)       →  plan.json, reads the input
 *     sweep   writes closed.json                           →  looks for open batches and inputs  →  removes the bytes
 *
 * Reads of the store see all writes that ended before they began, so of a batch and a sweep at least one sees the other:
 *
 * - The plan finds no closed.json: it is written after that look, so after the batch can be seen, and the sweep's look, which comes
 *   later still, finds the batch. The bytes stay until the marker goes, which is behind the batch's end.
 * - The plan finds closed.json: the batch fails, with an error that says so. It never had work, whether the bytes are there or not.
 *
 * closed.json is never taken back while there are bytes: another sweep may have looked when it was there. It goes behind the bytes,
 * so a plan that finds neither fails as well. The bytes of a file never come again: ids are new for each upload and each retry, and
 * requests that stand in a create call are refused while the tombstone of their file is kept (`store-inline.ts`).
 *
 * What this means, case by case:
 *
 * - Deleted, or expired, after the batch was accepted: nobody closes an input that is in use, so the batch gets it. The sweep looks
 *   before it closes, too, a minute after the tombstone or the expiry at the earliest: only an accept that stood still for longer
 *   than that between its reads and its commit meets a closed input.
 * - Such an accept, over a file of the user, requests in the call, or lines to run again: its batch fails at its plan.
 * - A repeat of an accepted create finds submit.json and reads no file.
 * - A plan that is repeated: closed.json matters before there is plan.json only.
 * - A drop: its bytes are the user's and are not removed, so it is not closed.
 * - A retry reads the input of a parent that has ended, which may go at any time: it copies it before it makes a batch, and the copy
 *   fails as a whole.
 */
export async function closeInput(store: ObjectStore, tenant: string, fileId: string, nowMs: number): Promise<void> {
  await createJson(store, keys.fileClosed(tenant, fileId), { v: 1, closedMs: nowMs }, forRemoval);
}

/** For a batch that is about to be planned: whether its input may go under it. */
export const isClosedInput = async (store: ObjectStore, tenant: string, fileId: string): Promise<boolean> =>
  (await store.head(keys.fileClosed(tenant, fileId))) !== null;
