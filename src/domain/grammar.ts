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

/**
 * Native memory of a compiled grammar, estimated: nobody tells how much one has. Measured with Falcon's vocabulary as growth of the
 * process, bytes per character of the text: choices 25 to 90 (1000 of 55 characters: 2 MB), schemas 20 to 180 (1000 optional members: 4 MB),
 * regular expressions 20 to 100, some 250 to 330 (many `.*`), Lark 50 to 255. The smallest have 50 to 80 KB, a few short regular
 * expressions up to 650 (`\p{L}`, repeated).
 */
export const grammarMemory = ({ text }: Pick<Grammar, 'text'>): number => 512 * 1024 + 192 * text.length;
