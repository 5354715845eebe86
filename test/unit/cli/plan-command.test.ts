import { Command } from 'commander';
import { describe, expect, it, vi } from 'vitest';
import { addPlanCommand } from '../../../src/cli/plan-command.js';
import { gpuPlanReport, type GpuPlanReport } from '../../../src/contract/gpu-plan.js';
import { publishedShapes } from '../../../src/domain/gpu/published-shapes.js';

const shape = { ...publishedShapes['40b'], contextTokens: 512 };

async function output(...args: string[]): Promise<string> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  addPlanCommand(program, () => Promise.resolve({ id: 'short', shape }));
  for (const command of program.commands) command.exitOverride().configureOutput({ writeErr: () => undefined });
  const written: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => written.push(String(text)) > 0);
  try {
    await program.parseAsync(['plan', '--gpu', 'h100', ...args], { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return written.join('');
}

const plan = async (...args: string[]): Promise<GpuPlanReport> =>
  gpuPlanReport.parse(JSON.parse(await output('--json', ...args)));

describe('eyrie plan', () => {
  it('takes lines of 300 + 300 tokens, and shorter ones where the context is', async () => {
    expect(await plan()).toMatchObject({ prompt_tokens: 300, output_tokens: 300 });
    expect(await plan('--model', 'short')).toMatchObject({ prompt_tokens: 256, output_tokens: 256 });
    expect(await plan('--model', 'short', '--output-tokens', '10')).toMatchObject({
      prompt_tokens: 256,
      output_tokens: 10,
    });
  });

  it('takes a model or a form, not both', async () => {
    await expect(plan('--form', '7b', '--model', 'short')).rejects.toThrow(
      /'--form <name>' cannot be used with option '--model/,
    );
  });

  it('names cards that have nothing to do', async () => {
    expect(await output('--count', '3', '--tensor-parallel', '2')).toContain('2 cards share one model, 1 card idle');
    expect(await output('--count', '4', '--tensor-parallel', '2')).not.toContain('idle');
  });

  it('says what there is room for, and what a worker takes of it', async () => {
    const { memory, slots } = await plan('--count', '2', '--tensor-parallel', '2');
    expect(memory.kv_tokens).toBe(memory.kv_pages * 256);
    expect(memory.kv_pages_taken).toBe(Math.min(memory.kv_pages, slots * 8));
    expect(memory.kv_pages_taken).toBeLessThan(memory.kv_pages);
    expect(await output('--count', '2', '--tensor-parallel', '2')).toContain('256 slots take 2,048 pages at most');
  });
});
