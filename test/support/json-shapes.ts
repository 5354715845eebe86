import * as fc from 'fast-check';

/** A JSON text of about so many bytes. */
export type Shape = (bytes: number) => string;

/** Repeats pieces until the text has the size. `piece` gets its number, so that it may be a new one each time. */
export function repeated(open: string, piece: (n: number) => string, close: string): Shape {
  return (bytes) => {
    const pieces: string[] = [];
    for (let length = open.length; length < bytes || pieces.length === 0;) {
      const next = piece(pieces.length);
      pieces.push(next);
      length += next.length + 1;
    }
    return open + pieces.join(',') + close;
  };
}

const list = (...pieces: readonly string[]): Shape => repeated('[', (n) => pieces[n % pieces.length] ?? '1', ']');
const numbered = (piece: (n: number) => string): Shape => repeated('[', piece, ']');
const members = (member: (n: number) => string): Shape => repeated('{', member, '}');
const nested = (open: string, close: string, levels: number): string => open.repeat(levels) + close.repeat(levels);
const text =
  (unit: string): Shape =>
  (bytes) =>
    `"${unit.repeat(Math.max(1, Math.floor(bytes / Buffer.byteLength(unit))))}"`;

/** Names that no earlier text of this process had: a parser keeps the names that it has seen. */
let fresh = 0;
const newName = (): string => `k${fresh++}`;

/** What has cost a parser, a check or a message most, by what it is. */
export const shapes: Readonly<Record<string, Shape>> = {
  'empty objects': list('{}'),
  'empty arrays': list('[]'),
  'empty texts': list('""'),
  'short texts': list('"a"'),
  'short texts, each new': numbered(() => `"${newName()}"`),
  ones: list('1'),
  'minus ones': list('-1'),
  'five-digit numbers': list('12345'),
  fractions: list('1.5', '0.1', '1e-7'),
  'numbers of 17 digits': list('1.2345678901234567e-300'),
  'numbers above all': list('1e999', '-1e999'),
  'numbers of 300 digits': list('9'.repeat(300)),
  nulls: list('null'),
  booleans: list('true', 'false'),
  'texts and numbers': list('""', '1'),
  'all kinds': list('{}', '[]', '""', '1', 'null', '{"a":[]}'),
  'one member each': list('{"a":1}'),
  'a new member each': numbered(() => `{"${newName()}":1}`),
  'two new members each': numbered(() => `{"${newName()}":{"${newName()}":{}}}`),
  'thirty new members each': numbered(() => `{${Array.from({ length: 30 }, () => `"${newName()}":1`).join(',')}}`),
  'names in ever new orders': numbered(
    (n) => `{${Array.from('abcdefgh', (_, at) => `"${'abcdefgh'[(at * 3 + n * 5) % 8] ?? ''}":1`).join(',')}}`,
  ),
  'short names': members((n) => `"${n.toString(36)}":1`),
  'new names': members(() => `"${newName()}":1`),
  'new names and texts': members(() => `"${newName()}":"v"`),
  'long names': members(() => `"${'x'.repeat(200)}${newName()}":1`),
  'one long name': (bytes) => `{"${'x'.repeat(bytes)}":1}`,
  'one name again and again': members(() => '"a":1'),
  'token ids as names': members((n) => `"${n}":-100`),
  'scattered ids as names': members((n) => `"${1_000_000 + ((n * 7919) % 8_999_999)}":1`),
  'ids with zeros before them': members((n) => `"${String(n).padStart(7, '0')}":1`),
  'ids as names, texts as values': members((n) => `"${n}":"x"`),
  'metadata pairs': members((n) => `"key${n}":"value${n}"`),
  'arrays in arrays': list(nested('[', ']', 60)),
  'objects in objects': list(`${'{"a":'.repeat(60)}1${'}'.repeat(60)}`),
  'arrays of one number': list('[1]'),
  'arrays of one text': list('["a"]'),
  messages: list('{"role":"user","content":"x"}'),
  'messages of parts': list('{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}'),
  'wrong messages': list('{"role":"tool"}'),
  tools: list('{"type":"function","function":{"name":"f","parameters":{}}}'),
  'a long text': text('a'),
  'a text of blanks': text(' '),
  'a text of escapes': text('\\u0041'),
  'a text of line ends': text('\\n'),
  'a text in another script': text('鷲'),
  'a text of emojis': text('😀'),
  'a text of half characters': text('\\ud83d'),
  'a text of mixed characters': text('aB1 !é\\n'),
};

/** Those that have cost most: tried in every run, the others in long ones. */
export const hardestShapes: readonly string[] = [
  'empty objects',
  'short texts',
  'short texts, each new',
  'a new member each',
  'new names',
  'token ids as names',
  'texts and numbers',
  'ones',
];

const element = fc.oneof(
  fc.constantFrom('{}', '[]', '""', '1', '-1.5e3', 'null', '[[]]', '{"a":{}}', '"x"', '[1,"",{}]'),
  fc.json({ maxDepth: 3 }),
);

/** Arrays and objects of a few random pieces in turn, some with new names, and random texts again and again. */
export const randomShape: fc.Arbitrary<Shape> = fc.oneof(
  fc.array(element, { minLength: 1, maxLength: 5 }).map((pieces) => list(...pieces)),
  fc
    .tuple(fc.array(element, { minLength: 1, maxLength: 3 }), fc.constantFrom('', 'name', 'x'.repeat(40)))
    .map(([pieces, prefix]) => members((n) => `"${prefix}${newName()}":${pieces[n % pieces.length] ?? '1'}`)),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }).map((unit) => text(JSON.stringify(unit).slice(1, -1))),
  fc
    .array(element, { minLength: 1, maxLength: 3 })
    .map((pieces) => numbered((n) => `{"${newName()}":${pieces[n % pieces.length] ?? '1'}}`)),
);
