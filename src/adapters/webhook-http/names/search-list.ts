import { readFile } from 'node:fs/promises';

/** What a resolv.conf says about names that are not complete. */
export interface SearchList {
  readonly domains: readonly string[];
  /** A name with so many dots is tried as it is first. */
  readonly dots: number;
}

const domainsMax = 6;

/** The last `search` or `domain` counts, as for the system's resolver. */
export function parseSearchList(text: string): SearchList {
  let domains: string[] = [];
  let dots = 1;
  for (const line of text.split('\n')) {
    const [word, ...values] = line.trim().split(/\s+/);
    if (word === 'search') domains = values;
    else if (word === 'domain') domains = values.slice(0, 1);
    else if (word === 'options')
      for (const value of values) {
        const asked = /^ndots:(\d{1,2})$/.exec(value)?.[1];
        if (asked !== undefined) dots = Number(asked);
      }
  }
  return { domains: domains.filter((domain) => domain !== '.').slice(0, domainsMax), dots };
}

export async function readSearchList(path = '/etc/resolv.conf'): Promise<SearchList> {
  try {
    return parseSearchList(await readFile(path, 'utf8'));
  } catch {
    return { domains: [], dots: 1 };
  }
}

/** The complete names that a name may stand for, in the order in which they are asked for. One that ends in a dot is complete. */
export function candidates(name: string, { domains, dots }: SearchList): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const extended = domains.map((domain) => `${name}.${domain.replace(/\.$/, '')}`);
  return name.split('.').length - 1 >= dots ? [name, ...extended] : [...extended, name];
}
