import { DelayedError, UnrecoverableError, WaitingError, type Job } from 'bullmq';
import { errorCode, isRetryable } from '../../domain/errors.js';
import { PutBack, type JobHandler, type JobKind } from '../../ports/job-queue.js';
import type { Log } from '../../ports/log.js';

type Processor = (job: Job, token: string | undefined, signal: AbortSignal | undefined) => Promise<void>;

/**
 * A handler as BullMQ calls it. The one place where our errors become the queue's: only the code reaches Redis (messages may
 * quote prompts), and what is not retryable ends the job.
 */
export function toProcessor(kind: JobKind, handler: JobHandler, log: Log): Processor {
  // Three parameters without defaults: BullMQ counts them to decide whether to give a signal.
  return async (job, token, signal) => {
    const id = job.id ?? '';
    if (!signal) throw new Error('BullMQ gave no signal');
    try {
      await handler({ id, payload: job.data, attempt: job.attemptsMade, stalls: job.stalledCounter }, signal);
    } catch (error) {
      if (signal.reason === 'lease_lost') throw new WaitingError('lease_lost');
      if (signal.reason === 'shutdown') {
        await job.moveToWait(token).catch((cause: unknown) => {
          log.warn('job.hand_back_failed', { kind, job: id, code: errorCode(cause) });
        });
        throw new WaitingError('shutdown');
      }
      if (error instanceof PutBack) {
        await job.moveToDelayed(Date.now() + error.delayMs, token).catch((cause: unknown) => {
          log.warn('job.hand_back_failed', { kind, job: id, code: errorCode(cause) });
        });
        throw new DelayedError();
      }
      const code = errorCode(error);
      const retryable = isRetryable(error);
      const last = !retryable || job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
      if (last) log.error('job.gave_up', { kind, job: id, code, attempt: job.attemptsMade }, error);
      else log.warn('job.will_retry', { kind, job: id, code, attempt: job.attemptsMade });
      throw retryable ? new Error(code) : new UnrecoverableError(code);
    }
    // Another worker has the job now: ending it is not ours any more.
    if (signal.reason === 'lease_lost') throw new WaitingError('lease_lost');
  };
}
