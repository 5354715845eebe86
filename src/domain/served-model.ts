/** A model as users see it. */
export interface ServedModel {
  readonly id: string;
  /** Other names that are accepted in requests; answers carry `id`. */
  readonly aliases: readonly string[];
  /** Unix seconds. */
  readonly created: number;
  readonly ownedBy: string;
  /** Tokens of prompt and completion together. */
  readonly contextTokens: number;
  readonly vocabSize: number;
  /** Id of the end token: what an empty prompt becomes. */
  readonly endTokenId: number;
  /** `sha256:` over config, tokenizer and tensor tables. */
  readonly digest: string;
}

export const servesModel = (model: ServedModel, name: string): boolean =>
  model.id === name || model.aliases.includes(name);

/** All names of the model, for messages. */
export const modelNames = ({ id, aliases }: ServedModel): string =>
  [id, ...aliases].map((name) => `"${name}"`).join(', ');

export const endpoints = ['/v1/completions', '/v1/chat/completions'] as const;
export type Endpoint = (typeof endpoints)[number];
export const isEndpoint = (text: unknown): text is Endpoint => endpoints.includes(text as Endpoint);
