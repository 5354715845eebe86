import { EyrieError } from '../../src/domain/errors.js';
import type { Grammar } from '../../src/domain/grammar.js';
import type { GrammarCompiler, Grammars } from '../../src/ports/grammars.js';

/** Takes every grammar but those whose text says `unsatisfiable`. Keeps none. */
export class FakeGrammars implements Grammars, GrammarCompiler {
  readonly checked: Grammar[] = [];

  isKept(): boolean {
    return false;
  }

  check(grammar: Grammar): Promise<void> {
    this.checked.push(grammar);
    return grammar.text.includes('unsatisfiable')
      ? Promise.reject(new EyrieError('invalid_request', 'no text satisfies it'))
      : Promise.resolve();
  }
}
