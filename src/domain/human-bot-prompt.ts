/**
 * The `human_bot` prompt of the h2oGPT Falcon models: a system text, then turns `<human>: X` and `<bot>: Y`, each on a line of its
 * own, and a last `<bot>:` without a space behind it.
 */
export interface ChatTurn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

const human = '<human>:';
const bot = '<bot>:';

/** Texts that end an answer: the model starts to write the other side's turn. */
export const humanBotStops: readonly string[] = Object.freeze([human, bot, `\n${human}`, `\n${bot}`]);

export function renderHumanBot(turns: readonly ChatTurn[]): string {
  let text = '';
  for (const { role, content } of turns) {
    if (role === 'system') text += content.endsWith('\n') || content === '' ? content : `${content}\n`;
    else text += role === 'user' ? `${human} ${content}\n` : `${bot} ${content}\n`;
  }
  return text + bot;
}

/** The answer without the space that these models put behind `<bot>:`. */
export const withoutLeadingSpace = (text: string): string => (text.startsWith(' ') ? text.slice(1) : text);

/** The answer as a person expects it: without the space after `<bot>:` and without a half-written turn marker at its end. */
export function cleanHumanBotAnswer(text: string): string {
  const answer = withoutLeadingSpace(text);
  for (const marker of [`\n${human}`, `\n${bot}`, human, bot])
    for (let length = marker.length - 1; length >= 4; length--)
      if (answer.endsWith(marker.slice(0, length))) return answer.slice(0, -length);
  return answer;
}
