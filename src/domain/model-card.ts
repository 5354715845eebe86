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
    const [, key, value] = /^(\w+):\s+(.+?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) members.set(key, value.replace(/^(['"])(.*)\1$/, '$2'));
  }
  return { members, end: end + 1 };
}

interface Heading {
  readonly line: number;
  readonly level: number;
  readonly title: string;
}

function headingsOf(lines: readonly string[], from: number): Heading[] {
  const headings: Heading[] = [];
  let fence: string | null = null;
  for (const [line, text] of lines.entries()) {
    if (line < from) continue;
    const [mark] = /^\s*(?:```|~~~)/.exec(text) ?? [];
    if (mark !== undefined) fence = fence === null ? mark.trim() : fence === mark.trim() ? null : fence;
    const [, hashes, title] = /^(#{1,6})\s+(.+?)\s*#*\s*$/.exec(text) ?? [];
    if (fence === null && hashes !== undefined && title !== undefined)
      headings.push({ line, level: hashes.length, title: title.replaceAll(/[*_`]/g, '') });
  }
  return headings;
}

export function readModelCard(markdown: string): ModelCard {
  const lines = markdown.replace(/^\ufeff/, '').split(/\r?\n/);
  const { members, end } = frontMatter(lines);
  const headings = headingsOf(lines, end);
  const cautions: { title: string; text: string }[] = [];
  let covered = 0;
  for (const [index, { line, level, title }] of headings.entries()) {
    if (line < covered || !cautionTitle.test(title)) continue;
    const next = headings.slice(index + 1).find((other) => other.level <= level);
    covered = next?.line ?? lines.length;
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
