/** Lines that use every sampling parameter here and there, over the tiny model's ids. Seeded by their number alone. */
export function requestLines(count: number, model: string, maxTokens: number): string {
  const line = (at: number): string => {
    const prompt =
      at % 3 === 0
        ? `<human>: question ${at}?\n<bot>:`
        : Array.from({ length: 1 + ((at * 7) % 40) }, (_, k) => 12 + ((at * 31 + k * 17) % 300));
    const sampling =
      at % 4 === 0
        ? { temperature: 0 }
        : {
            temperature: 0.5 + (at % 5) / 4,
            top_p: 0.9,
            top_k: at % 2 === 0 ? 40 : 0,
            ...(at % 7 === 0 ? { seed: at } : {}),
            ...(at % 11 === 0 ? { n: 2 } : {}),
            ...(at % 13 === 0 ? { min_p: 0.05, repetition_penalty: 1.2 } : {}),
            ...(at % 17 === 0 ? { frequency_penalty: 0.4, presence_penalty: -0.3, logit_bias: { 65: 2 } } : {}),
          };
    return JSON.stringify({
      custom_id: `line-${at}`,
      method: 'POST',
      url: '/v1/completions',
      body: {
        model,
        prompt,
        max_tokens: 1 + ((at * 13) % maxTokens),
        ...sampling,
        ...(at % 9 === 0 ? { logprobs: 2 } : {}),
        ...(at % 18 === 0 ? { echo: true } : {}),
        ...(at % 8 === 0 ? { stop: ['ab', '\\n'] } : {}),
        ignore_eos: true,
      },
    });
  };
  return `${Array.from({ length: count }, (_, at) => line(at)).join('\n')}\n`;
}
