import type { z } from 'zod';
import { EyrieError, type ErrorCode } from '../domain/errors.js';
import { shown, shownName } from './shown.js';
import { boundOf } from './within.js';

/** Path of a field as users write it: `messages[0].content`. */
function toParam(path: readonly PropertyKey[], root: string): string {
  let param = root;
  for (const key of path) {
    if (typeof key === 'number') param += `[${key}]`;
    else param += param === '' ? shownName(String(key)) : `.${shownName(String(key))}`;
  }
  return param;
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

type Issue = z.core.$ZodIssue;

/** Whether `a` lies behind `b` in the document: what a later element is refused for says more, as the earlier ones were taken. */
function isFurther(a: readonly PropertyKey[], b: readonly PropertyKey[]): boolean {
  for (const [depth, key] of a.entries()) {
    const other = b[depth];
    if (other === undefined) return true;
    if (typeof key === 'number' && typeof other === 'number' && key !== other) return key > other;
  }
  return false;
}

/** The issue that says most: inside a union that is the branch which got furthest, or the one that is of the right type at least. */
function deepest(issue: Issue): { issue: Issue; path: readonly PropertyKey[] } {
  if (issue.code !== 'invalid_union') return { issue, path: issue.path };
  let best: { issue: Issue; path: readonly PropertyKey[] } = { issue, path: issue.path };
  for (const branch of issue.errors) {
    const [first] = branch;
    if (!first) continue;
    const inner = deepest(first);
    const path = [...issue.path, ...inner.path];
    const fits = inner.path.length > 0 || (best.issue === issue && inner.issue.code !== 'invalid_type');
    if (fits && (best.issue === issue || isFurther(path, best.path))) best = { issue: inner.issue, path };
  }
  return best;
}

function toError(input: unknown, issues: readonly Issue[], root: string): EyrieError {
  const [first] = issues;
  if (!first) return new EyrieError('invalid_value', 'The value is not valid.', { param: root || null });
  const { issue, path } = deepest(first);
  if (issue.code === 'unrecognized_keys') {
    const param = toParam([...path, issue.keys[0] ?? ''], root);
    return new EyrieError('unknown_parameter', `Unknown parameter: '${param}'. Remove it, or check its spelling.`, {
      param,
    });
  }
  const param = toParam(path, root) || null;
  // Of what was never parsed the issue brings the text.
  const seen = 'shown' in issue && typeof issue.shown === 'string' ? issue.shown : null;
  const value = seen ?? valueAt(input, path);
  if (value === undefined)
    return new EyrieError('missing_required_parameter', `Missing required parameter: '${param}'.`, { param });
  // A union without branches to try: the member that tells the branches apart has a value that none of them has.
  const noForm = issue.code === 'invalid_union' && issue.errors.length > 0;
  const code: ErrorCode = issue.code === 'invalid_type' || noForm ? 'invalid_type' : 'invalid_value';
  return new EyrieError(
    code,
    `Invalid value for '${param}': ${seen ?? shown(value)}. ${issue.message}.`.replace(/\.\.$/, '.'),
    { param, bound: boundOf(issue) },
  );
}

/**
 * Nothing is looked at behind the first thing that is wrong: one error is reported, and a body may hold a million of them. zod
 * takes the option in every parse; its types name it for `validate` only.
 */
const stopEarly: z.core.ParseContextInternal<Issue> = Object.freeze({ abortEarly: true });

/**
 * Parses input with a schema; on failure throws an `EyrieError` that names the field, the value seen and what is allowed.
 * `root` is put before the field's path, e.g. `body`.
 */
export function parseWith<T>(schema: z.ZodType<T>, input: unknown, root = ''): T {
  const result = schema.safeParse(input, stopEarly);
  if (result.success) return result.data;
  throw toError(input, result.error.issues, root);
}
