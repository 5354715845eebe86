import { describe, expect, test } from 'vitest';
import { readModelCard } from '../../../src/domain/model-card.js';

describe('a model card', () => {
  test('license from the front matter, with its name and link', () => {
    expect(readModelCard('---\nlanguage:\n- en\nlicense: apache-2.0\n---\n# A model\n').license).toBe('apache-2.0');
    expect(
      readModelCard('---\r\nlicense: "other"\r\nlicense_name: falcon-180b\r\nlicense_link: LICENSE.txt\r\n---\r\n')
        .license,
    ).toBe('other, falcon-180b, LICENSE.txt');
  });

  test('a license that only the text names is none of the front matter', () => {
    expect(readModelCard('# A model\nlicense: mit\n').license).toBeNull();
    expect(readModelCard('---\nlicense: mit\n(never closed)').license).toBeNull();
    expect(readModelCard('').license).toBeNull();
  });

  test('sections of limits and disclaimers, down to the next heading of their level', () => {
    const card = readModelCard(
      [
        '# Model',
        'Text.',
        '## Bias, Risks, and **Limitations**',
        'It errs.',
        '### Recommendations',
        'Check it.',
        '## Training',
        'Data.',
        '# Disclaimer #',
        'No warranty.',
      ].join('\n'),
    );
    expect(card.cautions).toEqual([
      { title: 'Bias, Risks, and Limitations', text: 'It errs.\n### Recommendations\nCheck it.' },
      { title: 'Disclaimer', text: 'No warranty.' },
    ]);
  });

  test('a section inside another is given once; a comment in a code block is no heading', () => {
    const card = readModelCard('## Limitations\nA\n### Risks\nB\n## Use\n```\n# Disclaimer\n```\n');
    expect(card.cautions).toEqual([{ title: 'Limitations', text: 'A\n### Risks\nB' }]);
  });

  test('words that only contain such a word do not count', () => {
    expect(readModelCard('## Asterisks\nx\n## Brisk\ny\n').cautions).toEqual([]);
  });
});
