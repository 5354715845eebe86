import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

export const projectRoot = path.resolve(import.meta.dirname, '../..');

export interface Import {
  /** Paths from the project root, with `/` and the `.ts` ending; `to` is a bare name for packages and Node's own modules. */
  readonly from: string;
  readonly to: string;
  readonly external: boolean;
}

/** All TypeScript files below a folder of the project. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(path.join(projectRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/')));
}

/** Every static, dynamic and type import of a file, as the compiler reads them. */
export function importsOf(file: string): Import[] {
  const source = ts.createSourceFile(
    file,
    readFileSync(path.join(projectRoot, file), 'utf8'),
    ts.ScriptTarget.Latest,
    true,
  );
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (
      (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    )
      found.push(node.moduleSpecifier.text);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [specifier] = node.arguments;
      if (specifier && ts.isStringLiteral(specifier)) found.push(specifier.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found.map((specifier) =>
    specifier.startsWith('.')
      ? {
          from: file,
          to: path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts'),
          external: false,
        }
      : { from: file, to: specifier, external: true },
  );
}
