"""Questions and answers as the model reads them: `<human>: ...` and `<bot>: ...` lines, with token ids and what to learn from."""

from tasks import TASKS
from tokenizer import END_ID

POSITIONS = 512
# The answers of these tasks are new letter strings: the model writes them letter by letter, whatever pieces the tokenizer has.
BY_LETTER = {"backwards", "capitals"}
ARITHMETIC = {"plus", "minus"}
# Predicting the questions too, a little, makes copying from them come sooner.
PROMPT_WEIGHT = 0.07
SYSTEM_TEXTS = [
    "You are a helpful assistant.", "Answer briefly.", "You are a careful assistant. Give short answers.", "Be polite.",
    "The following is a conversation between a human and a bot.", "You answer questions about numbers and words.", "Think before you answer.",
    "You are Eyrie, a small demo model.", "Only give the answer, nothing else.", "Today is a sunny day in the office.",
]
OPENINGS = ["Please answer: ", "Hi! ", "Hello. ", "Tell me: ", "Question: ", "Quick question: ", "Can you help me? "]
GREETINGS = ["Hi", "Hello", "Hello!", "Who are you?", "What can you do?", "Help", "Hey there", "What do you know?", "Good morning!"]
GREETING_ANSWER = "Hello! I am a small demo model. I can add and subtract, sort numbers, spell words backwards and tell if a review is positive."


def ask(rng, split, task):
    """(question, answer), in training worded a little differently each time."""
    question, answer = TASKS[task][0](rng, split)
    if split == "train":
        if rng.random() < 0.15 and question[-1] in ".?":
            question = question[:-1]
        if rng.random() < 0.06:
            question = rng.choice(OPENINGS) + question
        elif rng.random() < 0.12:
            question = question[0].lower() + question[1:]
    return question, answer


def ask_any(rng, shares):
    """(task, question, answer) for training, the task drawn by its share; now and then a greeting."""
    if rng.random() < 0.01:
        return "greeting", rng.choice(GREETINGS), GREETING_ANSWER
    task = rng.choices(list(shares), shares.values())[0]
    return task, *ask(rng, "train", task)


def history_length(rng):
    """How many turns come before the question: mostly none, seldom as many as the context holds."""
    kind = rng.random()
    return 0 if kind < 0.75 else rng.randint(1, 3) if kind < 0.95 else 40


def encode_answer(tokenizer, task, answer):
    if task in BY_LETTER:
        return [tokenizer.token_to_id("Ġ")] + [tokenizer.token_to_id(letter) for letter in answer]
    return tokenizer.encode(" " + answer).ids


def training_row(rng, tokenizer, shares, arithmetic_weight):
    """(ids, weights): one conversation of at most POSITIONS ids; weights[i] says how much predicting ids[i] counts."""
    ids, weights = [], []
    if rng.random() < 0.08:
        ids = tokenizer.encode(rng.choice(SYSTEM_TEXTS) + "\n").ids
        weights = [0.0] * len(ids)
    for left in range(history_length(rng), -1, -1):
        task, question, answer = ask_any(rng, shares)
        weight = arithmetic_weight if task in ARITHMETIC else 1.0
        prompt = tokenizer.encode(f"<human>: {question}\n<bot>:").ids
        final = encode_answer(tokenizer, task, answer) + [END_ID]
        # An earlier answer comes back as text, so it has the tokenizer's own pieces; what follows it is not ours to say.
        past = tokenizer.encode(f" {answer}").ids
        ids += prompt
        weights += [PROMPT_WEIGHT] * len(prompt)
        if left and len(ids) + len(past) + 160 < POSITIONS:
            ids += past + tokenizer.encode("\n").ids
            weights += [0.0 if task in BY_LETTER else weight] * len(past) + [0.0]
            continue
        ids += final
        weights += [weight] * len(final)
        break
    return ids[:POSITIONS], weights[:POSITIONS]
