import { z } from 'zod';
import { bounds } from '../domain/bounds.js';
import { boundOf, lengthUpTo, type NumberBound } from './within.js';

type Payload = z.core.ParsePayload;
type Context = z.core.ParseContextInternal<z.core.$ZodIssue>;
type Read = (payload: Payload, context: Context) => z.core.util.MaybeAsync<Payload>;

/** The schema as it is in documents and types, with another way to read its input. To be called last: a clone reads as before. */
export function readBy<T extends z.ZodType>(
  schema: T,
  read: (payload: Payload, context: Context) => Payload | Promise<Payload>,
): T {
  const run: Read = read;
  schema._zod.parse = run;
  schema._zod.run = run;
  return schema;
}

/** Adds what is wrong with the input as a whole; `more` are the members of a zod issue. */
export function refuse(schema: z.ZodType, payload: Payload, issue: Record<string, unknown>): Payload {
  payload.issues.push({ input: payload.value, inst: schema, ...issue } as unknown as z.core.$ZodRawIssue);
  return payload;
}

/** What an issue says of a bound that is passed. */
const tooBig = (bound: NumberBound) => ({ code: 'too_big', maximum: bounds[bound], bound });

const tokenId = z.number().int('token ids are integers').min(0, 'token ids are 0 and above');

/**
 * An array of token ids. A body may hold half a million of them: each is looked at once, without a schema's overhead, up to the
 * first that is none.
 */
export function tokenIdList({ min = 0, max, tooFew = '', tooMany = '' }: TokenIdBounds) {
  const plain = z.array(tokenId).min(min, tooFew);
  const schema = max === undefined ? plain : plain.check(lengthUpTo(max, tooMany));
  return readBy(schema, (payload, context) => {
    const { value } = payload;
    if (!Array.isArray(value)) return refuse(schema, payload, { code: 'invalid_type', expected: 'array' });
    if (value.length < min)
      return refuse(schema, payload, { code: 'too_small', origin: 'array', minimum: min, message: tooFew });
    if (max !== undefined && value.length > bounds[max])
      return refuse(schema, payload, { ...tooBig(max), origin: 'array', message: tooMany });
    const wrong = value.findIndex((id: unknown) => !Number.isSafeInteger(id) || (id as number) < 0);
    if (wrong < 0) return payload;
    // Which of the rules it breaks, the schema says.
    const { issues } = tokenId._zod.run({ value: value[wrong] as unknown, issues: [] }, context) as Payload;
    payload.issues.push(...z.core.util.prefixIssues(wrong, issues));
    return payload;
  });
}

interface TokenIdBounds {
  readonly min?: number;
  readonly max?: NumberBound;
  readonly tooFew?: string;
  readonly tooMany?: string;
}

/**
 * A union whose branch is chosen by a look at the value, so that one branch is tried and its error is the error. `choose` gives the
 * number of the branch; null: none fits, and the error is `message`.
 */
export function chosenUnion<const T extends readonly [z.ZodType, z.ZodType, ...z.ZodType[]]>(
  options: T,
  choose: (value: unknown) => number | null,
  message: string,
): z.ZodUnion<T> {
  const schema = z.union(options, message);
  return readBy(schema, (payload, context) => {
    const number = choose(payload.value);
    const option = number === null ? undefined : options[number];
    if (option) return option._zod.run(payload, context);
    return refuse(schema, payload, { code: 'invalid_union', errors: [[]], message });
  });
}

interface RecordBounds {
  readonly max: NumberBound;
  readonly tooMany: string;
  /** What is wrong when it is no object. */
  readonly noObject?: string;
  readonly wrongName: string;
  /** Whether a member is surely right: saves the schemas' time where there may be very many. */
  readonly isRight?: (name: string, value: unknown) => boolean;
}

/**
 * Members of an object by their names: they are counted first, then looked at up to the first that is wrong. Neither names nor
 * values are changed, so nothing is copied.
 */
export function boundedRecord<Name extends z.ZodString, Value extends z.ZodType>(
  name: Name,
  value: Value,
  { max, tooMany, noObject, wrongName, isRight }: RecordBounds,
) {
  const schema = z.record(name, value).meta({ maxProperties: bounds[max] });
  return readBy(schema, (payload, context) => {
    const input = payload.value;
    if (typeof input !== 'object' || input === null || Array.isArray(input))
      return refuse(schema, payload, {
        code: 'invalid_type',
        expected: 'record',
        ...(noObject && { message: noObject }),
      });
    // JSON can hold it; an object that is copied must not get another prototype by it.
    if (Object.hasOwn(input, '__proto__')) delete (input as Record<string, unknown>)['__proto__'];
    const names = Object.keys(input);
    if (names.length > bounds[max])
      return refuse(schema, payload, { ...tooBig(max), origin: 'object', message: tooMany });
    for (const key of names) {
      if (isRight?.(key, (input as Record<string, unknown>)[key])) continue;
      const named = name._zod.run({ value: key, issues: [] }, context) as Payload;
      if (named.issues.length > 0)
        return refuse(schema, payload, {
          code: 'invalid_key',
          origin: 'record',
          issues: [],
          path: [key],
          message: wrongName,
          bound: boundOf(named.issues[0]),
        });
      const read = value._zod.run({ value: (input as Record<string, unknown>)[key], issues: [] }, context) as Payload;
      if (read.issues.length > 0) {
        payload.issues.push(...z.core.util.prefixIssues(key, read.issues));
        return payload;
      }
    }
    return payload;
  });
}

/** Any object, as it is: its members are looked at by somebody else. */
export function anyObject(message: string) {
  const schema = z.record(z.string(), z.unknown(), message);
  return readBy(schema, (payload) => {
    const { value } = payload;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return payload;
    return refuse(schema, payload, { code: 'invalid_type', expected: 'record', message });
  });
}
