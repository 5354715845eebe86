/** Forms in which a request can say what its answer must satisfy. */
export type GrammarKind = 'json_object' | 'json_schema' | 'regex' | 'choice' | 'lark';

/** What an answer must satisfy. */
export interface Grammar {
  readonly kind: GrammarKind;
  /** The schema as JSON, the regular expression, the choices as a JSON array, or the grammar; empty for `json_object`. */
  readonly text: string;
  /** The answer is one space and then the grammar's text: how chat models begin a turn. */
  readonly leadingSpace: boolean;
}

/** Equal for equal grammars, and for no others. */
export const grammarKey = ({ kind, leadingSpace, text }: Grammar): string => `${kind} ${leadingSpace} ${text}`;

/** Classes such as `\p{L}` and `\w`: over all of Unicode they take many states of the lexer. */
const classes = /\\[pdws]/gi;

/**
 * Native memory of a compiled grammar, estimated: nobody tells how much one has. Measured with Falcon's vocabulary as growth of the
 * process. 50 to 80 KB for the smallest; per character of the text 25 to 90 bytes for choices (1000 of 55 characters: 2 MB), 20 to 180 for
 * schemas (1000 optional members: 4 MB), 20 to 100 for regular expressions and 50 to 255 for Lark. Regular expressions and Lark with classes
 * take more: 0.4 to 1 MB for some six of them, 1.9 MB for twenty, 8.8 MB for a hundred.
 */
export const grammarMemory = ({ text }: Pick<Grammar, 'text'>): number =>
  512 * 1024 + 192 * text.length + 64 * 1024 * (text.match(classes)?.length ?? 0);
