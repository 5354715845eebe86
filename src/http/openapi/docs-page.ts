import type { JsonSchema } from './json-schema.js';
import type { OpenApiDocument, Operation, Parameter } from './document.js';

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (mark) => entities[mark] ?? mark);
const code = (text: string): string => `<code>${escape(text)}</code>`;

/** The limits of JSON numbers themselves are of no interest to a reader. */
const shownBound = (bound: number | undefined): number | undefined =>
  bound !== undefined && Math.abs(bound) === Number.MAX_SAFE_INTEGER ? undefined : bound;

/** A schema in a few words, e.g. `integer 1..100, default 20`. */
export function describeSchema(schema: JsonSchema): string {
  if (schema.contentMediaType !== undefined) return 'file';
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf) return [...new Set(schema.anyOf.map(describeSchema))].join(' | ');
  const types = [schema.type ?? 'any'].flat().join(' | ');
  const type = types === 'array' && schema.items ? `array of ${describeSchema(schema.items)}` : types;
  const least = shownBound(schema.minimum) ?? schema.minLength;
  const most = shownBound(schema.maximum) ?? schema.maxLength ?? schema.maxItems;
  const unit = (schema.minLength ?? schema.maxLength) ? ' characters' : schema.maxItems === undefined ? '' : ' items';
  const range = least === undefined && most === undefined ? '' : ` ${least ?? ''}..${most ?? ''}${unit}`;
  return `${type}${range}${schema.default === undefined ? '' : `, default ${JSON.stringify(schema.default)}`}`;
}

/** The object behind a schema that may also be null. */
const objectOf = (schema: JsonSchema): JsonSchema | undefined =>
  schema.properties ? schema : schema.anyOf?.find(({ properties }) => properties);

interface Row {
  readonly name: string;
  readonly required: boolean;
  readonly schema: JsonSchema;
}

function rowsOf(schema: JsonSchema, prefix = ''): Row[] {
  const { properties = {}, required = [] } = objectOf(schema) ?? {};
  return Object.entries(properties).flatMap(([name, property]) => [
    { name: prefix + name, required: required.includes(name), schema: property },
    ...(objectOf(property) ? rowsOf(property, `${prefix}${name}.`) : []),
    ...(property.items && objectOf(property.items) ? rowsOf(property.items, `${prefix}${name}[].`) : []),
  ]);
}

function table(title: string, rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(
    ({ name, required, schema }) =>
      `<tr><td>${code(name)}${required ? '' : ' <i>optional</i>'}</td><td>${escape(describeSchema(schema))}</td></tr>`,
  );
  return `<h4>${title}</h4><table>${lines.join('')}</table>`;
}

const parameterTable = (title: string, place: Parameter['in'], { parameters }: Operation): string =>
  table(
    title,
    parameters.filter((parameter) => parameter.in === place),
  );

function keyNeeded({ security }: Operation): string {
  const [scope] = security[0]?.['key'] ?? [];
  if (security.length === 0) return 'Needs no key.';
  return scope === undefined ? 'Any key will do.' : `The key needs the scope ${code(scope)}.`;
}

function section(path: string, method: string, operation: Operation): string {
  const [bodyType = '', body] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const [answerType = '', answer] = Object.entries(operation.responses['200']?.content ?? {})[0] ?? [];
  return [
    `<details id="${operation.operationId}"><summary><b class="${method}">${method.toUpperCase()}</b> ${code(path)}`,
    ` <span>${escape(operation.summary)}</span></summary>`,
    `<p>${keyNeeded(operation)}</p>`,
    parameterTable('Path', 'path', operation),
    parameterTable('Query', 'query', operation),
    parameterTable('Headers', 'header', operation),
    body ? table(`Body, ${escape(bodyType)}`, rowsOf(body.schema)) : '',
    answer
      ? table(`Answer, ${escape(answerType)}`, rowsOf(answer.schema)) || `<p>Answer: ${escape(answerType)}</p>`
      : '',
    '</details>',
  ].join('');
}

const style = `
:root{color-scheme:light dark;--line:light-dark(#d8dee4,#30363d);--soft:light-dark(#57606a,#8b949e)}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h2{margin-top:2rem;text-transform:capitalize}h4{margin:.8rem 0 .3rem}
code{font:.9em ui-monospace,monospace}span,i{color:var(--soft)}
details{border:1px solid var(--line);border-radius:6px;padding:.5rem .8rem;margin:.4rem 0}
summary{cursor:pointer}b{display:inline-block;min-width:4.2rem}
b.get{color:light-dark(#0969da,#58a6ff)}b.post{color:light-dark(#1a7f37,#3fb950)}b.delete{color:light-dark(#cf222e,#f85149)}
table{border-collapse:collapse;width:100%}td{border-top:1px solid var(--line);padding:.25rem .5rem;vertical-align:top}
td:first-child{width:45%}pre{border:1px solid var(--line);border-radius:6px;padding:.8rem;overflow:auto}`;

const example = `curl $URL/v1/files -H "Authorization: Bearer $OPENAI_API_KEY" -F purpose=batch -F file=@in.jsonl
curl $URL/v1/batches -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  -d '{"input_file_id":"file-...","endpoint":"/v1/completions","completion_window":"24h"}'
curl $URL/v1/batches/batch_... -H "Authorization: Bearer $OPENAI_API_KEY"
curl $URL/v1/batches/batch_.../results -H "Authorization: Bearer $OPENAI_API_KEY"
curl $URL/v1/completions -H "Authorization: Bearer $OPENAI_API_KEY" -H "Content-Type: application/json" \\
  -d '{"model":"...","prompt":"Hello","stream":true}'`;

/** The document as a page that needs nothing else: no script, no font, no other host. */
export function toDocsPage(document: OpenApiDocument): string {
  const sections = new Map<string, string[]>();
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const tag = operation.tags[0] ?? '';
      sections.set(tag, [...(sections.get(tag) ?? []), section(path, method, operation)]);
    }
  const body = [...sections].map(([tag, parts]) => `<h2>${escape(tag)}</h2>${parts.join('')}`).join('');
  const { title, version, description } = document.info;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(title)} API</title><style>${style}</style></head><body>
<h1>${escape(title)} API</h1><p>${escape(description)} Version ${escape(version)}.</p>
<p>The official OpenAI clients work unchanged: set <code>OPENAI_BASE_URL</code> to this server's <code>/v1</code> and
<code>OPENAI_API_KEY</code> to your key. Errors have the form <code>{"error":{"message","type","param","code"}}</code>.
The same as a document for programs: <a href="openapi.json">openapi.json</a>.</p>
<pre>${escape(example)}</pre>
${body}</body></html>
`;
}
