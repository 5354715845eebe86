import type { ModelInspection } from '../../contract/model-inspection.js';
import { printable } from '../printable.js';
import { note, pc, print } from '../output.js';
import { sizeText } from '../size-text.js';
import { textTable } from '../text-table.js';

const count = (value: number): string => value.toLocaleString('en');

const formText: Readonly<Record<ModelInspection['architecture']['form'], string>> = {
  '40B': '40B form: attention and MLP side by side, two norms',
  '7B': '7B form: attention and MLP side by side, one norm; one KV head, or one per query head',
  '11B': '11B form: attention and MLP side by side, one norm, grouped KV heads',
  rw: 'rw form: attention, then MLP, each with its norm; alibi positions',
  other: 'no published form',
};

function headText({ tied, stored, differences }: ModelInspection['head']): string {
  const role = tied ? 'tied: the embedding is the head' : 'lm_head.weight';
  if (!stored) return `${role}; none is stored`;
  if (differences === null) return `${role}; stored in 8 bits`;
  if (differences === 0) return `${role}; stored, equal to the embedding`;
  return `${role}; stored, differs from the embedding in ${count(differences)} values`;
}

const idsText = (ids: readonly number[]): string => (ids.length > 0 ? ids.join(', ') : 'nothing');

function endText({ id, config, generation_config: generation, used }: ModelInspection['end_of_text']): string {
  const token = id === null ? 'no <|endoftext|>' : `<|endoftext|> = ${id}`;
  return `${token}; config.json says ${idsText(config)}, generation_config.json ${idsText(generation)}; used: ${idsText(used)}`;
}

function architectureRows({ architecture: a, parameters, head, end_of_text: end }: ModelInspection): string[][] {
  const positions = a.positions === 'alibi' ? 'alibi' : `rotary, theta ${count(a.rope_theta ?? 0)}`;
  return [
    ['architecture', `${formText[a.form]} (model_type ${printable(a.model_type)})`],
    [
      'layers',
      `${count(a.layers)}, ${a.norms_per_layer === 2 ? 'two norms' : 'one norm'} each${a.linear_bias ? ', linear biases' : ''}`,
    ],
    ['hidden size', `${count(a.hidden_size)} = ${a.query_heads} heads of ${a.head_dim}`],
    ['KV heads', `${a.kv_heads}, each for ${a.query_heads / a.kv_heads} query heads`],
    ['feed-forward', count(a.ffn_size)],
    ['vocabulary', count(a.vocab_size)],
    ['context', `${count(a.context_tokens)} tokens; positions: ${positions}`],
    ['parameters', `${count(parameters.model)}; ${count(parameters.stored)} values stored`],
    ['head', headText(head)],
    ['end of text', endText(end)],
  ];
}

function fileRows({ files }: ModelInspection): string[][] {
  return files.map(({ name, bytes, tensors, dtypes }) => {
    const parts = Object.entries(dtypes).map(([dtype, size]) => `${dtype} ${sizeText(size)}`);
    return [printable(name), sizeText(bytes), `${count(tensors)} tensors`, printable(parts.join(', '))];
  });
}

function memoryRows({ memory, architecture }: ModelInspection): string[][] {
  const { weight_bytes: weights } = memory;
  const row = (name: string, bytes: number): string[] => [name, sizeText(bytes), `${count(bytes)} bytes`];
  return [
    row('weights, float32', weights.float32),
    row('weights, bfloat16', weights.bfloat16),
    row('weights, int8', weights.int8),
    ...(weights.fp8 === null ? [] : [row('weights, fp8 (cards)', weights.fp8)]),
    row('KV cache, per token', memory.kv_bytes_per_token),
    row(`KV cache, per slot of ${count(architecture.context_tokens)}`, memory.kv_bytes_per_slot),
  ];
}

function cardRows({ cards }: ModelInspection): string[][] {
  const sequences = (value: number | null): string => (value === null ? '-' : count(value));
  return [
    ['card', 'GB', 'bfloat16', 'fp8', 'int8'],
    ...cards.map((card) => [
      card.name,
      `${card.gigabytes}`,
      sequences(card.bfloat16_sequences),
      sequences(card.fp8_sequences),
      sequences(card.int8_sequences),
    ]),
  ];
}

function cardText({ model_card: card }: ModelInspection): string {
  if (card === null) return 'There is no model card (README.md), so neither a license nor a disclaimer is known.';
  const license = card.license === null ? 'The model card names no license.' : `license: ${printable(card.license)}`;
  if (card.cautions.length === 0) return `${license}\nThe model card has no section of limitations or disclaimers.`;
  return [
    license,
    ...card.cautions.map(({ title, text }) => `\n${pc.bold(printable(title))}\n${printable(text)}`),
  ].join('\n');
}

function inspectionText(inspection: ModelInspection): string {
  const part = (title: string, body: string): string => `\n${pc.bold(title)}\n${body}`;
  return [
    `${pc.bold(printable(inspection.model))}  ${printable(inspection.directory)}`,
    textTable(architectureRows(inspection), '  '),
    part('files', textTable(fileRows(inspection), '  ')),
    part('memory', textTable(memoryRows(inspection), '  ')),
    part('sequences of the full context on one card (eyrie plan has more)', textTable(cardRows(inspection), '  ')),
    part('model card', cardText(inspection)),
  ].join('\n');
}

/** `eyrie model inspect`: data to standard output, warnings to standard error (with --json they are in the document). */
export function printInspection(inspection: ModelInspection, json: boolean): void {
  if (json) {
    print(printable(JSON.stringify(inspection, null, 2)));
    return;
  }
  print(inspectionText(inspection));
  for (const warning of inspection.warnings) note(`${pc.yellow('warning')} ${printable(warning)}`);
}
