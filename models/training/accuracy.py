"""How many held-out questions a model answers exactly right, greedily."""

import random

import torch

from conversations import SYSTEM_TEXTS, ask
from tasks import OFFERED
from tokenizer import END_ID

ANSWER_TOKENS_MAX = 96


@torch.no_grad()
def greedy_answers(model, tokenizer, prompts, rows=64):
    """The text after each prompt up to the end token. Rows are padded on the right only, which changes nothing."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    answers = {}
    for start in range(0, len(order), rows):
        live = {i: tokenizer.encode(prompts[i]).ids for i in order[start:start + rows]}
        begin = {i: len(ids) for i, ids in live.items()}
        while live:
            width = max(map(len, live.values()))
            batch = torch.tensor([ids + [END_ID] * (width - len(ids)) for ids in live.values()])
            last = torch.tensor([len(ids) - 1 for ids in live.values()])
            best = model.logits(model(batch)[torch.arange(len(live)), last]).argmax(-1).tolist()
            for i, token in zip(list(live), best):
                live[i].append(token)
                if token == END_ID or len(live[i]) - begin[i] >= ANSWER_TOKENS_MAX:
                    answers[i] = tokenizer.decode(live.pop(i)[begin[i]:])
    return [answers[i] for i in range(len(prompts))]


def held_out_questions(seed, per_task):
    """Lists of (prompt, answer) by row name: each task on its own, and a mix of tasks after earlier turns and a system text."""
    rng = random.Random(seed)
    questions = {}
    for task in OFFERED:
        drawn = [ask(rng, "held-out", task) for _ in range(per_task)]
        questions[task] = [(f"<human>: {question}\n<bot>:", answer) for question, answer in drawn]
    chats = []
    for _ in range(per_task):
        turns = [ask(rng, "held-out", rng.choice(OFFERED)) for _ in range(rng.randint(2, 4))]
        system = rng.choice(["", rng.choice(SYSTEM_TEXTS) + "\n"])
        past = "".join(f"<human>: {question}\n<bot>: {answer}\n" for question, answer in turns[:-1])
        chats.append((f"{system}{past}<human>: {turns[-1][0]}\n<bot>:", turns[-1][1]))
    return questions | {"any task, later in a chat": chats}


def measure(model, tokenizer, questions):
    """{row name: {"asked", "right"}} and the first few wrong answers as (prompt, expected, given)."""
    table, wrong = {}, []
    for name, pairs in questions.items():
        given = greedy_answers(model, tokenizer, [prompt for prompt, _ in pairs])
        misses = [(prompt, answer, text) for (prompt, answer), text in zip(pairs, given) if text != " " + answer]
        table[name] = {"asked": len(pairs), "right": len(pairs) - len(misses)}
        wrong += misses[:5]
    return table, wrong
