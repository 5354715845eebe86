import { describe, expect, test } from 'vitest';
import { cleanHumanBotAnswer, renderHumanBot } from '../../../src/domain/human-bot-prompt.js';

describe('renderHumanBot', () => {
  test('writes turns as the models were trained', () => {
    const text = renderHumanBot([
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Hello!' },
      { role: 'user', content: 'Bye' },
    ]);
    expect(text).toBe('Be short.\n<human>: Hi\n<bot>: Hello!\n<human>: Bye\n<bot>:');
  });

  test('does not double the line end of a system text', () => {
    expect(
      renderHumanBot([
        { role: 'system', content: 'A\n' },
        { role: 'user', content: 'B' },
      ]),
    ).toBe('A\n<human>: B\n<bot>:');
  });
});

describe('cleanHumanBotAnswer', () => {
  test.each([
    [' Hello', 'Hello'],
    ['  two', ' two'],
    ['Hello\n<human', 'Hello'],
    ['Hello <bot', 'Hello '],
    ['a < b', 'a < b'],
    ['', ''],
  ])('%j becomes %j', (given, expected) => expect(cleanHumanBotAnswer(given)).toBe(expected));
});
