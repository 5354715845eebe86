/** Controls but for line feed and tab, and what turns the direction of a text or is not seen. */
const unprintable = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const escaped = (text: string): string =>
  text.split('').reduce((all, unit) => `${all}\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`, '');

/**
 * A text of others (of a checkpoint, of an input file, of a server) as it may be shown on a terminal: what would steer the terminal
 * is written out instead. Our own colours are put around it afterwards.
 */
export const printable = (text: string): string => text.replace(unprintable, escaped);
