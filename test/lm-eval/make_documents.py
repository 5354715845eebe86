"""Writes tasks/*.jsonl: held-out questions of the demo model's own tasks, with their right answers."""

import json
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE / "../../models/training"))
from conversations import ask  # noqa: E402
from tasks import OFFERED  # noqa: E402

DOCUMENTS = 64
CHOICES = 4
PICKED_FROM = ["plus", "minus", "backwards", "spell"]


def asked(rng, task, fits=lambda _: True):
    while True:
        question, answer = ask(rng, "held-out", task)
        if fits(answer):
            return question, answer


def sentiment(rng, _):
    question, answer = asked(rng, "sentiment", lambda answer: answer in ("positive", "negative"))
    return {"question": question, "answer": answer}


def near(rng, answer):
    """A wrong answer that looks like the right one: a letter doubled, lost or moved, or a digit changed."""
    at = rng.randrange(len(answer))
    if answer[at].isdigit():
        return answer[:at] + str(rng.randrange(10)) + answer[at + 1:]
    return rng.choice([answer[:at] + answer[at:at + 1] + answer[at:], answer[:at] + answer[at + 1:], answer[at:] + answer[:at]])


def pick_of_four(rng, number):
    question, answer = asked(rng, PICKED_FROM[number % len(PICKED_FROM)])
    choices = [answer]
    while len(choices) < CHOICES:
        wrong = near(rng, answer)
        if wrong not in ["", *choices]:
            choices.append(wrong)
    rng.shuffle(choices)
    return {"question": question, "choices": choices, "label": choices.index(answer)}


def answer(rng, number):
    question, right = asked(rng, OFFERED[number % len(OFFERED)])
    return {"question": question, "answer": right}


for name, make in [("sentiment", sentiment), ("pick-of-four", pick_of_four), ("answer", answer)]:
    rng = random.Random(name)
    lines = [json.dumps(make(rng, number), ensure_ascii=False) + "\n" for number in range(DOCUMENTS)]
    (HERE / f"tasks/{name}.jsonl").write_text("".join(lines))
