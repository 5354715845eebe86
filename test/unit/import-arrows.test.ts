import { describe, expect, test } from 'vitest';
import { importsOf, sourceFiles, type Import } from '../support/project-imports.js';

/** The rooms of the house. A file belongs to the first that its path starts with. */
const rooms = [
  'domain',
  'contract',
  'ports',
  'app',
  'adapters',
  'compose',
  'http',
  'cli',
  'config',
  'observe',
  'workers',
] as const;
type Room = (typeof rooms)[number];

/** Which rooms a room may import. A `main.ts` may import any: it is where a program is put together. */
const arrows: Readonly<Record<Room, readonly Room[]>> = {
  domain: [],
  contract: ['domain'],
  ports: ['domain'],
  app: ['domain', 'contract', 'ports'],
  adapters: ['domain', 'contract', 'ports'],
  compose: ['domain', 'contract', 'ports', 'adapters', 'config'],
  http: ['app', 'contract', 'domain', 'ports'],
  cli: ['app', 'contract', 'domain', 'ports'],
  config: ['domain'],
  observe: ['domain', 'ports'],
  workers: [],
};

const files = [...sourceFiles('src'), ...sourceFiles('workers')];
const imports = files.flatMap(importsOf);
const internal = imports.filter(({ external }) => !external);

function roomOf(file: string): Room {
  const [first, second] = file.split('/');
  const room = first === 'src' ? second : first;
  if (!rooms.includes(room as Room)) throw new Error(`${file} lies in no room`);
  return room as Room;
}

const show = ({ from, to }: Import): string => `${from} → ${to}`;

describe('import arrows', () => {
  test('every arrow between rooms is allowed', () => {
    const wrong = internal.filter(({ from, to }) => {
      if (from.endsWith('/main.ts') || roomOf(from) === roomOf(to)) return false;
      return !arrows[roomOf(from)].includes(roomOf(to));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('no adapter imports another', () => {
    const adapterOf = (file: string): string | undefined => file.split('/')[2];
    const wrong = internal.filter(
      ({ from, to }) => roomOf(from) === 'adapters' && roomOf(to) === 'adapters' && adapterOf(from) !== adapterOf(to),
    );
    expect(wrong.map(show)).toEqual([]);
  });

  test('nothing imports a main.ts', () => {
    expect(internal.filter(({ to }) => to.endsWith('/main.ts')).map(show)).toEqual([]);
  });

  test('there is no circle', () => {
    const next = new Map<string, Import[]>();
    for (const arrow of internal) next.set(arrow.from, [...(next.get(arrow.from) ?? []), arrow]);
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (done.has(file) || path.includes(file)) return;
      for (const { to } of next.get(file) ?? []) walk(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) walk(file, []);
    expect(circles).toEqual([]);
  });

  test('domain uses no package, and of Node only hashing', () => {
    const wrong = imports.filter(
      ({ from, to, external }) => external && roomOf(from) === 'domain' && to !== 'node:crypto',
    );
    expect(wrong.map(show)).toEqual([]);
  });
});
