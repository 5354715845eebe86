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
