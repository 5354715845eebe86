import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LocalMode } from '../support/local-mode.js';
import { projectRoot } from '../support/project-imports.js';
import { makeTempFolder } from '../support/temp-folder.js';
import { writeFalconForm } from './falcon-form.js';
import { evaluate, missing, type Evaluation, type Outcome, type Outcomes } from './harness.js';

const checkpoint = path.join(projectRoot, 'models/demo');
const contextTokens = 512;
const choosing = ['eyrie_sentiment', 'eyrie_pick_of_four'];
const chosen = ['acc,none', 'acc_stderr,none', 'acc_norm,none', 'acc_norm_stderr,none'];
const written = ['exact_match,trimmed', 'exact_match_stderr,trimmed'];
const metricNames: Readonly<Record<string, readonly string[]>> = {
  eyrie_sentiment: chosen,
  eyrie_pick_of_four: chosen,
  eyrie_answer: written,
  eyrie_chat: written,
};
/** Between sums of float32 log-probabilities of two programs that add in different orders: up to 8e-5 were seen. */
const logprobTolerance = 5e-4;

let folder: string;
let service: LocalMode;
/** What the harness's own `hf` model gives for the checkpoint. */
let reference: Outcomes;

function outcome(outcomes: Outcomes, task: string): Outcome {
  const found = outcomes.get(task);
  if (!found) throw new Error(`There is no outcome of ${task}`);
  return found;
}

/** The metrics that the task asks for. */
function metrics(outcomes: Outcomes, task: string): (readonly [string, number | undefined])[] {
  return (metricNames[task] ?? []).map((name) => [name, outcome(outcomes, task).metrics[name]] as const);
}

/** What was generated for every document. */
function texts(outcomes: Outcomes, task: string): unknown[] {
  return outcome(outcomes, task).samples.map(({ filtered_resps }) => filtered_resps);
}

/** Every choice of every document. */
function choices(outcomes: Outcomes, task: string): { logprob: number; greedy: string }[] {
  return outcome(outcomes, task).samples.flatMap(({ filtered_resps }) =>
    (filtered_resps as [string, string][]).map(([logprob, greedy]) => ({ logprob: Number(logprob), greedy })),
  );
}

function expectSameChoices(outcomes: Outcomes): void {
  for (const task of choosing) {
    expect(metrics(outcomes, task)).toEqual(metrics(reference, task));
    const [got, right] = [choices(outcomes, task), choices(reference, task)];
    expect(got.map(({ greedy }) => greedy)).toEqual(right.map(({ greedy }) => greedy));
    const apart = got.map(({ logprob }, index) => Math.abs(logprob - (right[index]?.logprob ?? Infinity)));
    expect(Math.max(...apart)).toBeLessThan(logprobTolerance);
  }
}

function throughApi(
  model: 'local-completions' | 'local-chat-completions',
  tasks: readonly string[],
  modelArgs: Evaluation['modelArgs'],
  options: readonly string[] = [],
): Promise<Outcomes> {
  const route = model === 'local-completions' ? 'completions' : 'chat/completions';
  const always = { model: service.modelId, base_url: `${service.url}/${route}`, max_length: contextTokens };
  return evaluate(folder, { model, modelArgs: { ...always, ...modelArgs }, tasks, options, apiKey: service.apiKey });
}

describe.skipIf(missing)(
  missing ?? 'lm-eval through the API gives what its hf model gives',
  { timeout: 600_000 },
  () => {
    beforeAll(async () => {
      folder = await makeTempFolder();
      service = await LocalMode.start(path.join(folder, 'data'), ['--model', 'demo'], { EYRIE_DTYPE: 'float32' });
      const falconForm = path.join(folder, 'falcon-form');
      await writeFalconForm(checkpoint, falconForm);
      reference = await evaluate(folder, {
        model: 'hf',
        modelArgs: { pretrained: falconForm, dtype: 'float32', max_length: contextTokens },
        tasks: [...choosing, 'eyrie_answer'],
        options: ['--device', 'cpu', '--batch_size', '1'],
      });
    }, 600_000);
    afterAll(async () => {
      await service.stop();
      await rm(folder, { recursive: true });
    });

    test.each([...choosing, 'eyrie_answer'])(
      '%s: hf is neither all right nor all wrong, so its error says something',
      (task) => {
        expect(outcome(reference, task).samples).toHaveLength(64);
        for (const [name, value] of metrics(reference, task)) {
          expect(value, name).toBeGreaterThan(0);
          expect(value, name).toBeLessThan(1);
        }
      },
    );

    test.concurrent('local-completions with the tokenizer of the checkpoint', async () => {
      const outcomes = await throughApi('local-completions', [...choosing, 'eyrie_answer'], { tokenizer: checkpoint });
      expectSameChoices(outcomes);
      expect(metrics(outcomes, 'eyrie_answer')).toEqual(metrics(reference, 'eyrie_answer'));
      expect(texts(outcomes, 'eyrie_answer')).toEqual(texts(reference, 'eyrie_answer'));
    });

    test.concurrent('local-completions with the tokenizer of the service, several requests at a time', async () => {
      const remote = { tokenizer_backend: 'remote', auth_token: service.apiKey, num_concurrent: 8 };
      expectSameChoices(await throughApi('local-completions', choosing, remote));
    });

    test.concurrent('local-completions with texts in place of token ids, several in one request', async () => {
      const asTexts = { tokenizer: checkpoint, tokenized_requests: false };
      expectSameChoices(await throughApi('local-completions', choosing, asTexts, ['--batch_size', '8']));
    });

    test.concurrent('local-chat-completions answers a question as hf answers it in the form of a prompt', async () => {
      const outcomes = await throughApi('local-chat-completions', ['eyrie_chat'], {}, ['--apply_chat_template']);
      expect(metrics(outcomes, 'eyrie_chat')).toEqual(metrics(reference, 'eyrie_answer'));
      expect(texts(outcomes, 'eyrie_chat')).toEqual(texts(reference, 'eyrie_answer'));
    });
  },
);
