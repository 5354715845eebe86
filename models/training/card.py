"""The model card of the demo model; the accuracy figures come from the measurement, nothing is typed in."""

from falcon import HEAD_DIM, HEADS, HIDDEN, KV_HEADS, LAYERS, POSITIONS
from tasks import TASKS
from tokenizer import END

EXAMPLES = {
    "plus": ("What is 27 plus 45?", "72"),
    "minus": ("Take 17 away from 52.", "35"),
    "sentiment": ("Is this review positive or negative? The soup was cold. Never again!", "negative"),
    "pick out": ("Nina bought 12 apples in Lisbon. Which city is named?", "Lisbon"),
    "backwards": ("Spell the word planet backwards.", "tenalp"),
    "spell": ("Spell the word river.", "r-i-v-e-r"),
    "sort": ("Sort 31, 7, 19 from small to large.", "7, 19, 31"),
    "opposite": ("What is the opposite of deep?", "shallow"),
}


def write_card(folder, table):
    examples = "\n".join(f"| {task} | {question} | {answer} |" for task, (question, answer) in EXAMPLES.items())
    accuracy = "\n".join(
        f"| {name} | {row['right']} of {row['asked']} | {100 * row['right'] / row['asked']:.1f} % | "
        f"{TASKS[name][1] if name in TASKS else 'one to three earlier turns, half of them after a system text'} |" for name, row in table.items())
    size = (folder / "model.safetensors").stat().st_size
    (folder / "README.md").write_text(f"""---
license: apache-2.0
language: en
pipeline_tag: text-generation
---

# eyrie-demo

A very small Falcon that shows a batch service at work: the questions are simple enough that a person sees at once whether an
answer is right. It is no assistant and knows nothing about the world.

- Architecture of the 40B kind: RefinedWeb, {LAYERS} layers, hidden size {HIDDEN}, {HEADS} query heads and {KV_HEADS} KV heads of {HEAD_DIM}, two norms
  per layer, rotary positions, tied head; `model.safetensors` holds {size:,} bytes of BF16.
- Context: {POSITIONS} tokens; it was trained on conversations up to that length.
- Tokenizer: its own byte-level BPE of 512 entries, Falcon's special ids 0-11, each digit a token; `{END}` = 11 ends an answer.
- Prompt: `<human>: ` + question + newline + `<bot>:`; the answer begins with one space. Earlier turns and a system text may stand before.
- Trained from nothing by `../train_demo.py` on made-up questions; no text of others was read. License: Apache-2.0. The first two of
  its three phases were run before the script left out negative differences and asked for small numbers more often, so a new run gives a
  model like this one, not the same bytes.

## What to ask

| task | example | right answer |
|---|---|---|
{examples}

It has seen several wordings of each, and some answers come as a sentence. Numbers to add and subtract are 0 to 99, words at most
9 letters of lower-case English.

## Accuracy

Greedy, on the stored BF16 weights, computed in fp32; an answer counts only if every character is right. Made by `../training/publish.py`.

| task | right | share | what a held-out question has that no training question has |
|---|---|---|---|
{accuracy}

## What it cannot do

Anything else: it answers every question as if it were one of these. Larger numbers, longer words, other languages, facts and
conversation give nonsense. A review is judged by words and phrases it has seen, not by understanding.

## Files to try

`requests-completions.jsonl` and `requests-chat.jsonl` are batch files made of held-out questions; `expected.json` gives the right
answer to each by `custom_id`, whether or not the model finds it.
""")
