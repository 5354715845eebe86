import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { anyObject } from './bounded.js';
import { optional } from './sampling-fields.js';
import { lengthUpTo } from './within.js';

/** A JSON schema: which of its keywords can be followed is seen when it is compiled. */
const jsonSchema = anyObject('a JSON schema is an object');

/** vLLM's clients send schemas as objects or as their text. */
const schemaOrText = z.union([jsonSchema, z.string()], 'a JSON schema as an object or as its text is allowed');

const regex = z
  .string()
  .min(1, 'a regular expression may not be empty')
  .check(lengthUpTo('grammarRegexCharsMax', `at most ${bounds.grammarRegexCharsMax} characters are allowed`));

const choice = z
  .array(
    z
      .string()
      .min(1, 'a choice may not be empty')
      .check(lengthUpTo('grammarChoiceCharsMax', `at most ${bounds.grammarChoiceCharsMax} characters are allowed`)),
  )
  .min(1, 'at least one choice is required')
  .check(lengthUpTo('grammarChoicesMax', `at most ${bounds.grammarChoicesMax} choices are allowed`));

const grammar = z
  .string()
  .min(1, 'a grammar may not be empty')
  .check(lengthUpTo('grammarLarkCharsMax', `at most ${bounds.grammarLarkCharsMax} characters are allowed`));

const responseFormat = z.discriminatedUnion(
  'type',
  [
    z.strictObject({ type: z.literal('text') }),
    z.strictObject({ type: z.literal('json_object') }),
    z.strictObject({
      type: z.literal('json_schema'),
      json_schema: z.strictObject({
        name: z.string().regex(/^[\w-]{1,64}$/, '1 to 64 letters, digits, dashes and underscores are allowed'),
        schema: jsonSchema,
        description: optional(z.string()),
        /** Answers always follow the schema, so it changes nothing. */
        strict: optional(z.boolean()),
      }),
    }),
  ],
  '"text", "json_object" or "json_schema" is allowed',
);

/** Fields that hold the answer to a form: OpenAI's, then those of vLLM, old and new. One of them at most. */
export const structuredOutputFields = {
  response_format: optional(responseFormat),
  guided_json: optional(schemaOrText),
  guided_regex: optional(regex),
  guided_choice: optional(choice),
  guided_grammar: optional(grammar),
  structured_outputs: optional(
    z.strictObject({
      json: optional(schemaOrText),
      json_object: optional(z.boolean()),
      regex: optional(regex),
      choice: optional(choice),
      grammar: optional(grammar),
    }),
  ),
};

const structuredOutput = z.object(structuredOutputFields);
export type StructuredOutput = z.output<typeof structuredOutput>;
