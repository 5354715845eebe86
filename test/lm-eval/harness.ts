import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { pythonEnvironment } from '../support/python-environment.js';

const { bin, installed } = pythonEnvironment('lm-eval');
const tasks = path.join(import.meta.dirname, 'tasks');

/** Why the harness cannot be run, or null. */
export const missing = installed ? null : 'lm-eval is not installed: see test/slow/lm-eval.sh';

/** One document of a task: what the model answered, before the harness makes numbers of it. */
export interface Sample {
  readonly doc_id: number;
  /** `[logprob, is greedy]` of each choice (as text), or the text that was generated. */
  readonly filtered_resps: readonly unknown[];
}

export interface Outcome {
  /** Metric with its filter, such as `acc,none`, to its value. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly samples: readonly Sample[];
}

/** By task. */
export type Outcomes = ReadonlyMap<string, Outcome>;

export interface Evaluation {
  readonly model: 'hf' | 'local-completions' | 'local-chat-completions';
  readonly modelArgs: Readonly<Record<string, string | number | boolean>>;
  readonly tasks: readonly string[];
  readonly options?: readonly string[];
  readonly apiKey?: string;
}

/** Runs `lm_eval` as a person does, and reads what it wrote. `folder`: where it may write. */
export async function evaluate(folder: string, evaluation: Evaluation): Promise<Outcomes> {
  const output = await mkdtemp(path.join(folder, 'lm-eval-'));
  const modelArgs = Object.entries(evaluation.modelArgs).map(([name, value]) => `${name}=${value}`);
  await promisify(execFile)(
    path.join(bin, 'lm_eval'),
    [
      `--model=${evaluation.model}`,
      `--model_args=${modelArgs.join(',')}`,
      `--tasks=${evaluation.tasks.join(',')}`,
      `--include_path=${tasks}`,
      `--output_path=${output}`,
      '--log_samples',
      ...(evaluation.options ?? []),
    ],
    {
      // The task files name their documents from here.
      cwd: tasks,
      env: {
        ...process.env,
        OPENAI_API_KEY: evaluation.apiKey ?? '',
        HF_HOME: path.join(folder, 'hf'),
        HF_HUB_OFFLINE: '1',
        HF_DATASETS_OFFLINE: '1',
        CUDA_VISIBLE_DEVICES: '',
      },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return read(output);
}

async function read(output: string): Promise<Outcomes> {
  const files = await readdir(output, { recursive: true });
  const text = async (start: string): Promise<string> => {
    const file = files.find((name) => path.basename(name).startsWith(start));
    if (!file) throw new Error(`lm_eval wrote no ${start} file, but ${files.join(', ')}`);
    return await readFile(path.join(output, file), 'utf8');
  };
  const { results } = JSON.parse(await text('results_')) as { results: Record<string, Record<string, unknown>> };
  const outcomes = new Map<string, Outcome>();
  for (const [task, values] of Object.entries(results)) {
    const samples = (await text(`samples_${task}_`))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Sample)
      .sort((a, b) => a.doc_id - b.doc_id);
    const metrics = Object.entries(values).filter((entry): entry is [string, number] => typeof entry[1] === 'number');
    outcomes.set(task, { metrics: Object.fromEntries(metrics), samples });
  }
  return outcomes;
}
