"""Batch files a person can submit at once, with the answers that would be right."""

import json
import random

from checkpoint import MODEL_NAME
from conversations import SYSTEM_TEXTS, ask
from tasks import OFFERED

COMPLETIONS_PER_TASK = 6
CHAT_LINES = 16


def answer_bound(task):
    """max_tokens that leaves room for the longest right answer of the task."""
    return 40 if task == "spell" else 32


def write_lines(path, lines):
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


def write_request_files(folder, seed):
    """requests-completions.jsonl, requests-chat.jsonl and expected.json {custom_id: right answer}; only held-out questions."""
    rng = random.Random(seed)
    expected, completions, chats = {}, [], []
    for number in range(COMPLETIONS_PER_TASK):
        for task in OFFERED:
            question, answer = ask(rng, "held-out", task)
            custom_id = f"{task.replace(' ', '-')}-{number + 1}"
            expected[custom_id] = answer
            completions.append({"custom_id": custom_id, "method": "POST", "url": "/v1/completions", "body": {
                "model": MODEL_NAME, "prompt": f"<human>: {question}\n<bot>:", "max_tokens": answer_bound(task), "temperature": 0,
                "stop": ["<human>:", "<bot>:"]}})
    for number in range(CHAT_LINES):
        tasks = rng.choices(OFFERED, k=1 + number % 3)
        turns = [ask(rng, "held-out", task) for task in tasks]
        messages = [{"role": "system", "content": rng.choice(SYSTEM_TEXTS)}] if number % 4 == 3 else []
        for question, answer in turns[:-1]:
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        task, (question, answer) = tasks[-1], turns[-1]
        custom_id = f"chat-{number + 1}-{task.replace(' ', '-')}"
        expected[custom_id] = answer
        chats.append({"custom_id": custom_id, "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": MODEL_NAME, "messages": messages + [{"role": "user", "content": question}], "max_tokens": answer_bound(task), "temperature": 0}})
    write_lines(folder / "requests-completions.jsonl", completions)
    write_lines(folder / "requests-chat.jsonl", chats)
    (folder / "expected.json").write_text(json.dumps(expected, indent=2, ensure_ascii=False) + "\n")
