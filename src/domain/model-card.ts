/** What a model card (README.md of a checkpoint) says that users are bound by. */
export interface ModelCard {
  /** The license id of the front matter, with name or link where it has those; null when it says none. */
  readonly license: string | null;
  /** Sections about limits and disclaimers, title and text; empty when there is none. */
  readonly cautions: readonly { readonly title: string; readonly text: string }[];
}

const cautionTitle = /disclaimer|limitation|\brisks?\b|out-of-scope/i;

/** The scalar members at the top of a YAML front matter: enough for license, license_name and license_link. */
function frontMatter(lines: readonly string[]): {
  readonly members: ReadonlyMap<string, string>;
  readonly end: number;
} {
  const members = new Map<string, string>();
  if (lines[0]?.trim() !== '---') return { members, end: 0 };
  const end = lines.findIndex((line, index) => index > 0 && line.trim() === '---');
  if (end < 0) return { members, end: 0 };
  for (const line of lines.slice(1, end)) {
    const [, key, rest = ''] = /^(\w+):(?=\s)(.*)$/.exec(line) ?? [];
    const value = rest.trim();
    if (key !== undefined && value !== '') members.set(key, value.replace(/^(['"])(.*)\1$/, '$2'));
  }
  return { members, end: end + 1 };
}

interface Heading {
  readonly line: number;
  readonly level: number;
  readonly title: string;
}

/** Without a pattern that tries blanks and hashes again from each of them. */
function headingIn(text: string): Omit<Heading, 'line'> | null {
  const [hashes] = /^#{1,6}(?=\s)/.exec(text) ?? [];
  if (hashes === undefined) return null;
  let end = text.trimEnd().length;
  while (text[end - 1] === '#') end--;
  const title = text.slice(hashes.length, Math.max(hashes.length, end)).trim();
  return title === '' ? null : { level: hashes.length, title: title.replaceAll(/[*_`]/g, '') };
}

/** For each heading, the line of the next one of its level or above; one pass, from the end. */
function endsOf(headings: readonly Heading[], lines: number): number[] {
  const ends: number[] = [];
  /** By level, the line at which the next heading of that level stands. */
  const next = Array.from({ length: 7 }, () => lines);
  for (let index = headings.length - 1; index >= 0; index--) {
    const { level = 6, line = 0 } = headings[index] ?? {};
    ends[index] = Math.min(...next.slice(0, level + 1));
    next[level] = line;
  }
  return ends;
}

function headingsOf(lines: readonly string[], from: number): Heading[] {
  const headings: Heading[] = [];
  let fence: string | null = null;
  for (const [line, text] of lines.entries()) {
    if (line < from) continue;
    const [mark] = /^\s*(?:```|~~~)/.exec(text) ?? [];
    if (mark !== undefined) fence = fence === null ? mark.trim() : fence === mark.trim() ? null : fence;
    const heading = fence === null ? headingIn(text) : null;
    if (heading) headings.push({ line, ...heading });
  }
  return headings;
}

export function readModelCard(markdown: string): ModelCard {
  const lines = markdown.replace(/^\ufeff/, '').split(/\r?\n/);
  const { members, end } = frontMatter(lines);
  const headings = headingsOf(lines, end);
  const cautions: { title: string; text: string }[] = [];
  let covered = 0;
  const ends = endsOf(headings, lines.length);
  for (const [index, { line, title }] of headings.entries()) {
    if (line < covered || !cautionTitle.test(title)) continue;
    covered = ends[index] ?? lines.length;
    cautions.push({
      title,
      text: lines
        .slice(line + 1, covered)
        .join('\n')
        .trim(),
    });
  }
  const license = members.get('license');
  const more = [members.get('license_name'), members.get('license_link')].filter((part) => part !== undefined);
  const named = license === undefined ? null : [license, ...more].join(', ');
  return { license: named, cautions };
}
