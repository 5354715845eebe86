import { convertCheckpoint } from '../adapters/engine-native/convert-checkpoint.js';
import { inspectCheckpoint } from '../adapters/engine-native/inspect-checkpoint.js';
import type { NativeConversion, NativeConvertOptions } from '../adapters/engine-native/native-types.js';
import { NewModelFolder } from '../adapters/model-folder/new-model-folder.js';
import { companionFiles, hashFiles, type HashedFile } from '../adapters/model-folder/source-files.js';
import { isNewDecoder } from '../contract/falcon-config.js';
import { normalFalconConfig } from '../contract/normal-falcon-config.js';
import { weightBytes } from '../domain/model-memory.js';
import { openModel, type OpenModel } from './open-model.js';

export interface ConvertSettings {
  readonly directory: string;
  readonly out: string;
  readonly dtype: NativeConvertOptions['dtype'];
  readonly shardBytesMax: number;
  /** Replace a model that lies in `out` already. */
  readonly replace: boolean;
  readonly threads: number;
}

export interface ConversionReport {
  readonly model: string;
  readonly dtype: ConvertSettings['dtype'];
  readonly files: number;
  readonly tensors: number;
  readonly bytes: number;
  readonly rounded: number;
  readonly quantised: number;
  readonly leftOut: readonly string[];
}

/** model.safetensors.index.json: which shard holds which tensor, and where the weights came from. */
function indexOf(
  conversion: NativeConversion,
  model: OpenModel,
  dtype: ConvertSettings['dtype'],
  sources: readonly HashedFile[],
): object {
  const { files, tensors, tensorBytes, rounded } = conversion;
  return {
    metadata: {
      total_size: tensorBytes,
      eyrie: { format: 1, dtype, rounded, source: { model: model.served.id, files: sources } },
    },
    weight_map: Object.fromEntries(tensors.map(({ name, file }) => [name, files[file]])),
  };
}

/**
 * Writes a checkpoint in our form to `out`, which appears whole or not at all. Throws coded errors; an abort removes what was written
 * and throws its reason.
 */
export async function convertModel(
  settings: ConvertSettings,
  onProgress: (bytesDone: number, bytesTotal: number) => void,
  signal: AbortSignal,
): Promise<ConversionReport> {
  const { dtype, threads } = settings;
  const model = await openModel(settings.directory, null);
  const { directory, shape, config } = model.folder;
  const { files } = await inspectCheckpoint(directory, shape);
  const folder = await NewModelFolder.create(settings.out, directory, settings.replace, weightBytes(shape, dtype));
  try {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const hashing = hashFiles(directory, ['config.json', ...files.map(({ name }) => name)], either);
    hashing.catch(() => undefined);
    const conversion = await convertCheckpoint(
      {
        modelDirectory: directory,
        outDirectory: folder.directory,
        config: shape,
        dtype,
        shardBytesMax: BigInt(settings.shardBytesMax),
        threads,
      },
      onProgress,
      signal,
    ).catch((error: unknown) => {
      stop.abort();
      throw error;
    });
    const normal = normalFalconConfig({
      shape,
      newDecoder: isNewDecoder(config),
      name: model.served.id,
      endTokenIds: [...new Set([model.served.endTokenId, ...model.stopTokenIds])],
      dtype,
    });
    const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;
    await folder.write('model.safetensors.index.json', json(indexOf(conversion, model, dtype, await hashing)));
    await folder.write('config.json', json(normal));
    for (const file of await companionFiles(directory)) await folder.copy(file);
    signal.throwIfAborted();
    await folder.publish();
    const { rounded, quantised, leftOut, tensors, tensorBytes } = conversion;
    return {
      model: model.served.id,
      dtype,
      files: conversion.files.length,
      tensors: tensors.length,
      bytes: tensorBytes,
      rounded,
      quantised,
      leftOut,
    };
  } finally {
    await folder.discard();
  }
}
