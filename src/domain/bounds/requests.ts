/** Bounds of bodies and lines, and what may stand in them. */
export const requestsBounds = Object.freeze({
  // Input files and lines: the limits of the OpenAI Batch API, so that files move over unchanged.
  inputFileBytesMax: 200 * 1024 * 1024,
  batchLinesMax: 50_000,
  lineBytesMax: 1024 * 1024,
  customIdCharsMax: 256,
  /** Errors listed in a failed batch; a last entry then gives the total. */
  batchErrorsListedMax: 100,
  /** Lenient batches keep bad lines in the plan; beyond this many the file is not what the user thinks it is. */
  rejectedLinesMax: 10_000,

  // Request bodies.
  jsonBodyBytesMax: 1024 * 1024,
  jsonDepthMax: 64,
  /**
   * Named members of a body or of a batch line, those named by a token id aside: a parser takes up to 1.4 µs for each, so many keep
   * it within 60 ns a byte and 5 ms. A JSON schema of 1200 members, or 1000 chat messages, stay below.
   */
  jsonMembersMax: 2560,
  /** Objects and arrays of a body or of a batch line: 0.2 µs each to parse and to write. */
  jsonContainersMax: 16 * 1024,
  /** Body of a batch whose requests stand in it: some 50,000 short prompts. Held whole in memory, so no more; larger ones are files. */
  inlineBodyBytesMax: 16 * 1024 * 1024,
  promptsPerLineMax: 128,
  /** A turn takes some ten tokens, and no Falcon has a context of more than 8192. */
  chatMessagesMax: 1024,
  chatPartsMax: 1024,
  /** Above the vocabulary of every Falcon. */
  logitBiasMax: 100_000,
  /**
   * The answer to a line, as it is estimated before anything is generated and as it is made. It is held whole: to join or to copy
   * so much takes 10 to 20 ms.
   */
  lineAnswerBytesMax: 16 * 1024 * 1024,
  choicesPerPromptMax: 16,
  stopStringsMax: 16,
  stopCharsMax: 128,
  logprobsMax: 5,
  topLogprobsMax: 20,
  // Structured output. What a step of a grammar costs at most, and what compiling it costs, follows from the size of its text.
  grammarBytesMax: 64 * 1024,
  grammarRegexCharsMax: 8 * 1024,
  grammarLarkCharsMax: 16 * 1024,
  grammarChoicesMax: 1000,
  grammarChoiceCharsMax: 1000,
  /** Named members of a schema, at all its depths. What compiling costs grows with the square: some 0.25 s for a thousand optional ones. */
  grammarMembersMax: 2048,
  /** `minimum`, `maximum` and the like in a schema: half a millisecond each. */
  grammarRangesMax: 512,
  /**
   * `multipleOf` in a schema, all of them together, in units of their last decimal, and their least common multiple where they may hold of
   * one number: each unit is a state, of 10 µs and half a kilobyte, as soon as the grammar is compiled.
   */
  grammarMultiplesMax: 2000,
  /** Patterns of a schema where several may hold of one text. Compiling takes 6 ms for eight, and three to five times as long for each more. */
  grammarPatternsJoinedMax: 8,
  /** Schemas in a Lark grammar; all of them together have the bounds of one. */
  grammarSchemasMax: 8,
  /**
   * Compiled grammars kept for the next line that asks for the same, by their native memory as it is estimated, half a megabyte at
   * least; when they have more, the tenant that has most loses its oldest.
   */
  grammarsKeptBytes: 128 * 1024 * 1024,
  /** Grammars compiled at once: half of Node's four pool threads, which files and tokenizers need too. */
  grammarCompilesMax: 2,
  /** Live calls of one tenant that wait for a grammar; further ones are refused. Files wait one line at a time, and are not. */
  grammarsWaitingMax: 32,
  /** Different grammars in one batch: each is compiled before the batch is planned. */
  grammarsPerBatchMax: 1000,
  completionTokensDefault: 16,
  chatTokensDefault: 256,

  /** Ids and what stands for them in a request: those of the service have some 40 characters. */
  idCharsMax: 128,
  cursorCharsMax: 256,
  modelNameCharsMax: 256,
  /** A completion window such as `24h`, and a time in words. */
  windowCharsMax: 16,
  timeCharsMax: 64,
  metadataPairsMax: 16,
  metadataKeyCharsMax: 64,
  metadataValueCharsMax: 512,
  filenameCharsMax: 255,
  idempotencyKeyCharsMax: 255,

  // Work on an event loop.
  /** After so long without a pause others get their turn. One line may take 45 ms more; nobody waits longer than 60. */
  turnMs: 10,
  /** Bytes of a large body that are looked at in one turn: some 5 ms. */
  turnBytes: 256 * 1024,
  /** A body below this is parsed as it comes, in a millisecond; larger ones one after the other, of each tenant one at a time. */
  parseAtOnceBytes: 16 * 1024,
  parsesMax: 4,
  parsesPerTenant: 1,
  /** After a large body its place stays taken for so many times as long as it took, and for this at most: one tenant gets a quarter of the loop. */
  parsePauseShare: 3,
  parsePauseMsMax: 250,
  /** Characters of a text that `/tokenize` takes: several of the largest contexts. */
  tokenizeCharsMax: 128 * 1024,
  /**
   * And tokens that it may have, eight of the largest contexts: a strange character is three, each with up to twelve characters of the
   * answer. To list and to write so many takes some 10 ms.
   */
  tokenizeTokensMax: 64 * 1024,
  /**
   * Texts that the tokenizer's library works on at once in a process: half of Node's four pool threads. One takes 10 ms for 30 KB of
   * strange characters.
   */
  libraryEncodesMax: 2,
  /** Token ids that `/detokenize` takes. */
  detokenizeTokensMax: 128 * 1024,
  /** And bytes of the text that it gives: tokens have up to 80 each. */
  detokenizeBytesMax: 1024 * 1024,
});
