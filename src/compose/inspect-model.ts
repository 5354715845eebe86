import { inspectCheckpoint } from '../adapters/engine-native/inspect-checkpoint.js';
import type { NativeCheckpoint } from '../adapters/engine-native/native-types.js';
import { readModelFolder, type ModelFolder } from '../adapters/model-folder/read-model-folder.js';
import { readSmallFile } from '../adapters/model-folder/small-file.js';
import { NoTokenizer } from '../adapters/no-tokenizer/no-tokenizer.js';
import { BpeTokenizer } from '../adapters/tokenizer/bpe-tokenizer.js';
import { isNewDecoder } from '../contract/falcon-config.js';
import type { ModelInspection } from '../contract/model-inspection.js';
import { bounds } from '../domain/bounds.js';
import { falconForm } from '../domain/falcon-form.js';
import type { FalconShape } from '../domain/falcon-shape.js';
import { gpuCards, gpuNames, type GpuCard } from '../domain/gpu/cards.js';
import { freeBytesOf, planGpu } from '../domain/gpu/plan-gpu.js';
import { servedByCards } from '../domain/gpu/report-plan.js';
import { readModelCard } from '../domain/model-card.js';
import {
  kvBytesPerToken,
  parameterCount,
  weightBytes,
  weightBytesOnCard,
  type CardForm,
  type CardWeights,
} from '../domain/model-memory.js';
import { endOfText, endTokens, type EndTokens } from './end-tokens.js';

function architecture({ shape, config }: ModelFolder): ModelInspection['architecture'] {
  return {
    form: falconForm(shape, isNewDecoder(config)),
    model_type: config.model_type,
    layers: shape.layers,
    hidden_size: shape.hiddenSize,
    query_heads: shape.queryHeads,
    kv_heads: shape.kvHeads,
    head_dim: shape.headDim,
    ffn_size: shape.ffnSize,
    vocab_size: shape.vocabSize,
    context_tokens: shape.contextTokens,
    parallel_attention: shape.parallelAttention,
    norms_per_layer: shape.normsPerLayer,
    linear_bias: shape.linearBias,
    positions: shape.alibi ? 'alibi' : 'rotary',
    rope_theta: shape.alibi ? null : shape.ropeTheta,
  };
}

function filesOf({ files, tensors }: NativeCheckpoint): ModelInspection['files'] {
  return files.map(({ name, bytes }, index) => {
    const own = tensors.filter(({ file }) => file === index);
    const dtypes: Record<string, number> = {};
    for (const tensor of own) dtypes[tensor.dtype] = (dtypes[tensor.dtype] ?? 0) + tensor.bytes;
    return { name, bytes, tensors: own.length, dtypes };
  });
}

const valuesOf = ({ shape }: NativeCheckpoint['tensors'][number]): number => shape.reduce((all, size) => all * size, 1);

const onOneCard = (weights: CardWeights): CardForm => ({ weights, tensorParallel: 1, fp8Keep: [] });

function memoryOf(shape: FalconShape): ModelInspection['memory'] {
  return {
    weight_bytes: {
      float32: weightBytes(shape, 'float32'),
      bfloat16: weightBytes(shape, 'bfloat16'),
      int8: weightBytes(shape, 'int8'),
      fp8: servedByCards(shape) ? weightBytesOnCard(shape, onOneCard('fp8')) : null,
    },
    kv_bytes_per_token: kvBytesPerToken(shape),
    kv_bytes_per_slot: kvBytesPerToken(shape) * shape.contextTokens,
  };
}

function warningsOf(
  folder: ModelFolder,
  checkpoint: NativeCheckpoint,
  { end, trusted, distrusted }: EndTokens,
): string[] {
  const warnings: string[] = [];
  const { headDifferences } = checkpoint;
  const mayDiffer = folder.shape.tiedHead && headDifferences !== null && headDifferences > 0;
  if (mayDiffer)
    warnings.push(
      `The config ties the head to the embedding, but the stored lm_head.weight differs from it in ${headDifferences.toLocaleString('en')} values. ` +
        'The embedding is used, as by transformers. If the head was trained on its own, set "tie_word_embeddings": false in config.json.',
    );
  for (const [file, ids] of [
    ['config.json', folder.endIds.config],
    ['generation_config.json', folder.endIds.generation],
  ] as const)
    for (const id of ids.filter((named) => distrusted.includes(named)))
      warnings.push(
        `${file} names ${id} as end of text, which is no end but an ordinary mark or no token; it is ignored.`,
      );
  if (folder.tokenizerJson === null)
    warnings.push('There is no tokenizer.json: prompts must be token ids, and answers have no text.');
  else if (end === null) warnings.push(`The tokenizer has no "${endOfText}".`);
  if (end === null && trusted.length === 0) warnings.push('No end of text is known: the model cannot be served.');
  return warnings;
}

function fullSequences(shape: FalconShape, card: GpuCard, weights: CardWeights): number | null {
  if (!servedByCards(shape) || (weights === 'fp8' && card.fp8FlopsPerSecond === null)) return null;
  const options = { ...onOneCard(weights), tokensPerSequence: shape.contextTokens };
  return planGpu(shape, freeBytesOf(card), options)?.fullSequences ?? null;
}

function modelCardOf(markdown: string): ModelInspection['model_card'] {
  const card = readModelCard(markdown);
  return { ...card, cautions: [...card.cautions] };
}

/** All that can be said about a checkpoint without loading it. Throws `model_invalid`, `model_unreadable`, `unsupported_device`. */
export async function inspectModel(directory: string): Promise<ModelInspection> {
  const folder = await readModelFolder(directory);
  const { shape } = folder;
  const [checkpoint, card] = await Promise.all([
    inspectCheckpoint(folder.directory, shape),
    readSmallFile(folder.directory, 'README.md', bounds.modelCardBytesMax),
  ]);
  const tokenizer =
    folder.tokenizerJson === null
      ? new NoTokenizer(shape.vocabSize)
      : BpeTokenizer.fromJson(folder.tokenizerJson, shape.vocabSize);
  const ends = endTokens(folder, tokenizer);
  return {
    schema_version: 1,
    model: folder.id,
    directory: folder.directory,
    architecture: architecture(folder),
    parameters: {
      model: parameterCount(shape),
      stored: checkpoint.tensors.reduce((all, tensor) => all + valuesOf(tensor), 0),
    },
    head: {
      tied: shape.tiedHead,
      stored: checkpoint.tensors.some(({ name }) => name === 'lm_head.weight'),
      differences: checkpoint.headDifferences,
    },
    end_of_text: {
      id: ends.end,
      config: [...folder.endIds.config],
      generation_config: [...folder.endIds.generation],
      used: [...new Set([...(ends.end === null ? [] : [ends.end]), ...ends.trusted])],
    },
    files: filesOf(checkpoint),
    memory: memoryOf(shape),
    cards: gpuNames.map((gpu) => ({
      gpu,
      name: gpuCards[gpu].name,
      gigabytes: gpuCards[gpu].gigabytes,
      bfloat16_sequences: fullSequences(shape, gpuCards[gpu], 'bfloat16'),
      fp8_sequences: fullSequences(shape, gpuCards[gpu], 'fp8'),
      int8_sequences: fullSequences(shape, gpuCards[gpu], 'int8'),
    })),
    model_card: card === null ? null : modelCardOf(card),
    warnings: warningsOf(folder, checkpoint, ends),
  };
}
