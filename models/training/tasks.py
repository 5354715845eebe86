"""Questions with one right answer, drawn at random. `split` is "train" or "held-out"; TASKS says what is held out."""

from words import (
    BAD, BAD_REMARKS, CITIES, GOOD, GOOD_REMARKS, NAMES, OPPOSITES, REVIEWED, THINGS, WORDS, is_held_out,
)

VOWELS = "a e i o u ea oo ai ou".split()
ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr pl sh st th tr".split()
CODAS = ["", "", "", "n", "r", "l", "s", "t", "d", "m", "ck", "st", "ng"]


def draw(rng, make, split):
    """make(rng) -> (key, value), until the key belongs to the split."""
    while True:
        key, value = make(rng)
        if is_held_out(key) == (split == "held-out"):
            return value


def pick(rng, words, split):
    return draw(rng, lambda r: (lambda w: (w, w))(r.choice(words)), split)


def invented_word(rng):
    """Syllables that read like a word, or plain letters: what keeps the model from learning its word list by heart."""
    if rng.random() < 0.3:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 8)))
    word = "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.randint(1, 3)))
    return word[:9]


def a_word(rng, split):
    if split == "held-out" or rng.random() < 0.5:
        return pick(rng, WORDS, split)
    return draw(rng, lambda r: (lambda w: (w, w))(invented_word(r)), split)


def a_proper_name(rng, words, split):
    if split == "held-out" or rng.random() < 0.6:
        return pick(rng, words, split)
    return draw(rng, lambda r: (lambda w: (w, w))(invented_word(r).capitalize()), split)


def quoted(rng, word):
    return rng.choice([word, word, f"'{word}'", f'"{word}"'])


def number(rng):
    """0-99, with more of one digit than chance would give: a person asks for 2 plus 2 first."""
    return rng.randrange(10) if rng.random() < 0.3 else rng.randrange(100)


def plus(rng, split):
    a, b = draw(rng, lambda r: (lambda a, b: ("plus %d %d" % (min(a, b), max(a, b)), (a, b)))(number(r), number(r)), split)
    total = a + b
    kind = rng.random()
    if kind < 0.1:
        return rng.choice([f"Answer in a sentence: what is {a} plus {b}?", f"Tell me in a sentence what {a} plus {b} is."]), f"{a} plus {b} is {total}."
    if kind < 0.25:
        name, thing = a_proper_name(rng, NAMES, split), rng.choice(THINGS)
        more = rng.choice(["buys {b} more", "gets {b} more", "finds {b} more", "gets {b} more from a friend"]).format(b=b)
        return f"{name} has {a} {thing} and {more}. How many {thing} does {name} have?", f"{total}"
    return rng.choice([
        f"What is {a} plus {b}?", f"What is {a} + {b}?", f"{a} + {b} =", f"{a}+{b}", f"{a} + {b}", f"{a} plus {b}", f"How much is {a} plus {b}?",
        f"How much is {a} + {b}?", f"Add {a} and {b}.", f"Add {a} to {b}.", f"Calculate {a} + {b}.", f"What is the sum of {a} and {b}?",
        f"What do you get when you add {a} and {b}?", f"Compute {a} plus {b}."]), f"{total}"


def minus(rng, split):
    a, b = draw(rng, lambda r: (lambda a, b: ("minus %d %d" % (min(a, b), max(a, b)), (a, b)))(number(r), number(r)), split)
    kind = rng.random()
    a, b = max(a, b), min(a, b)
    if kind < 0.1:
        return rng.choice([f"Answer in a sentence: what is {a} minus {b}?", f"Tell me in a sentence what {a} minus {b} is."]), f"{a} minus {b} is {a - b}."
    if kind < 0.25:
        name, thing = a_proper_name(rng, NAMES, split), rng.choice(THINGS)
        less = rng.choice(["gives away {b}", "loses {b}", "sells {b}", "gives {b} to a friend"]).format(b=b)
        return f"{name} has {a} {thing} and {less}. How many {thing} does {name} have {rng.choice(['left', 'now'])}?", f"{a - b}"
    return rng.choice([
        f"What is {a} minus {b}?", f"What is {a} - {b}?", f"{a} - {b} =", f"{a}-{b}", f"{a} - {b}", f"{a} minus {b}", f"How much is {a} minus {b}?",
        f"How much is {a} - {b}?", f"Subtract {b} from {a}.", f"Take {b} away from {a}.", f"Calculate {a} - {b}.",
        f"What is the difference of {a} and {b}?", f"Compute {a} minus {b}."]), f"{a - b}"


def review(rng, split):
    """One to three remarks of one mood. The thing and what is said of it are the held-out pair of the first remark."""
    good = rng.random() < 0.5
    denied = rng.random() < 0.15
    adjectives = GOOD if good != denied else BAD
    thing, adjective = draw(rng, lambda r: (lambda t, a: (f"{t} {a}", (t, a)))(r.choice(REVIEWED), r.choice(adjectives)), split)
    if denied:
        first = rng.choice(["The {t} was not {a}", "The {t} is not {a}", "The {t} was not {a} at all", "This {t} is not {a}"])
    else:
        first = rng.choice([
            "The {t} was {a}", "The {t} is {a}", "The {t} was really {a}", "The {t} is very {a}", "The {t} was so {a}", "What a {a} {t}",
            "A {a} {t}", "This {t} is {a}", "I found the {t} {a}", "My {t} is {a}", "We had a {a} {t}", "It is a {a} {t}"])
    remarks = [first.format(t=thing, a=adjective)]
    if rng.random() < 0.2 and not denied:
        remarks[0] += " and " + draw(rng, lambda r: (lambda a: (f"{thing} {a}", a))(r.choice(adjectives)), split)
    if rng.random() < 0.5:
        remarks.insert(rng.choice([0, 1]), rng.choice(GOOD_REMARKS if good else BAD_REMARKS))
    return "".join(r + rng.choice([". ", ". ", "! "]) for r in remarks).strip(), good


def sentiment(rng, split):
    text, good = review(rng, split)
    shown = rng.choice([text, text, f'"{text}"'])
    kind = rng.random()
    if kind < 0.2:
        question = rng.choice(["Did the writer like it? {t}", "{t} Did the writer like it?", "Was the customer happy? {t}"])
        return question.format(t=shown), "Yes, the writer liked it." if good else "No, the writer did not like it."
    mood = "positive" if good else "negative"
    if kind < 0.35:
        question = rng.choice(["What is the mood of this review? {t}", "What is the mood of this text? {t}", "How does this review sound? {t}"])
        return question.format(t=shown), f"The review is {mood}."
    return rng.choice([
        "Is this review positive or negative? {t}", "Positive or negative? {t}", "{t} Is this positive or negative?", "{t} Positive or negative?",
        "Classify the sentiment: {t}", "What is the sentiment of this review? {t}", "Sentiment of this review: {t}", "Review: {t}\nSentiment:",
        "Is the following review positive or negative?\n{t}", "Tell me if this review is positive or negative: {t}"]).format(t=shown), mood


def pick_out(rng, split):
    name, city = a_proper_name(rng, NAMES, split), a_proper_name(rng, CITIES, split)
    number, thing = rng.choice([rng.randint(2, 20), rng.randint(2, 99), rng.randint(100, 999)]), rng.choice(THINGS)
    text = rng.choice([
        "{n} bought {k} {t} in {c}.", "{n} sold {k} {t} at the market in {c}.", "In {c}, {n} found {k} {t}.", "{n} took {k} {t} to {c}.",
        "Yesterday {n} sent {k} {t} to a friend in {c}.", "{n} lives in {c} and owns {k} {t}.", "{n} went to {c} with {k} {t}.",
        "There were {k} {t} on the table when {n} came home to {c}.", "{n} from {c} collects {t} and has {k} of them.",
        "Last week in {c}, {n} gave {k} {t} to the school.", "My friend {n} moved to {c} and left {k} {t} behind.",
        "The train to {c} was late, so {n} counted {k} {t}.", "{n} paid for {k} {t} in a small shop in {c}.",
    ]).format(n=name, c=city, k=number, t=thing)
    kind = rng.choice(["name", "city", "number", "thing"])
    question, answer = {
        "name": (["Who is in this sentence?", "Which person is named?", "What is the name of the person?", "Find the name.", "Who is this about?",
                  "Pick out the name.", "Name the person.", "Extract the person's name."], name),
        "city": (["Which city is in this sentence?", "Which city is named?", "What is the name of the city?", "Find the city.", "Where was this?",
                  "Pick out the city.", "Name the city.", "Extract the city."], city),
        "number": (["Which number is in this sentence?", "What number is named?", "What is the number?", "Find the number.", f"How many {thing}?",
                    f"How many {thing} were there?", "Pick out the number.", "Extract the number."], str(number)),
        "thing": (["Which things are in this sentence?", "What things are named?", "Find the things.", "What was counted?"], thing),
    }[kind]
    question = rng.choice(question)
    if kind in ("name", "city") and rng.random() < 0.15:
        question, answer = f"Answer in a sentence: which {'person' if kind == 'name' else 'city'} is named?", f"The {'person' if kind == 'name' else 'city'} is {answer}."
    colon = question.rstrip(".") + ":" if question.endswith(".") else question
    return rng.choice([f"{colon} {text}", f"{text} {question}", f"{text}\n{question}", f'{colon} "{text}"', f"Read this: {text} {question}"]), answer


def backwards(rng, split):
    word = a_word(rng, split)
    return rng.choice([
        "Spell {w} backwards.", "Spell the word {w} backwards.", "Write {w} backwards.", "Write the word {w} backwards.", "Reverse the word {w}.",
        "What is {w} backwards?", "What is {w} spelled backwards?", "How do you spell {w} backwards?", "Reverse {w}.", "Say {w} backwards.",
        "Turn the word {w} around."]).format(w=quoted(rng, word)), word[::-1]


def spell(rng, split):
    word = a_word(rng, split)
    return rng.choice([
        "Spell {w}.", "Spell the word {w}.", "Spell {w} letter by letter.", "How do you spell {w}?", "How is {w} spelled?",
        "Spell out the word {w}."]).format(w=quoted(rng, word)), "-".join(word)


def letters(rng, split):
    word = a_word(rng, split)
    return rng.choice([
        "How many letters are in {w}?", "How many letters are in the word {w}?", "How many letters does {w} have?",
        "How many letters does the word {w} have?", "Count the letters in {w}.", "Count the letters of the word {w}."]).format(w=quoted(rng, word)), str(len(word))


def capitals(rng, split):
    word = a_word(rng, split)
    return rng.choice([
        "Write {w} in capital letters.", "Write the word {w} in capital letters.", "Write {w} in capitals.", "Put {w} in upper case.",
        "{w} in capital letters", "What is {w} in capital letters?", "Write {w} in upper case."]).format(w=quoted(rng, word)), word.upper()


def listed(rng, items):
    return ", ".join(items) if rng.random() < 0.6 else ", ".join(items[:-1]) + " and " + items[-1]


def sort(rng, split):
    def three(r):
        numbers = r.sample(range(100) if r.random() < 0.8 else range(20), 3)
        return "sort " + " ".join(map(str, sorted(numbers))), numbers
    numbers = draw(rng, three, split)
    shown, upward = listed(rng, [str(n) for n in numbers]), sorted(numbers)
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(["Which is the largest number: {n}?", "What is the largest of {n}?", "Find the largest number: {n}."]).format(n=shown), str(upward[2])
    if kind < 0.3:
        return rng.choice(["Which is the smallest number: {n}?", "What is the smallest of {n}?", "Find the smallest number: {n}."]).format(n=shown), str(upward[0])
    if kind < 0.5:
        return rng.choice(["Sort from large to small: {n}.", "Sort {n} from large to small.", "Sort these numbers from largest to smallest: {n}.",
                           "Put {n} in descending order."]).format(n=shown), ", ".join(map(str, upward[::-1]))
    return rng.choice(["Sort {n}.", "Sort these numbers: {n}.", "Sort {n} from small to large.", "Put these numbers in order: {n}.", "Sort the numbers {n}.",
                       "Sort these numbers from smallest to largest: {n}.", "Put {n} in ascending order."]).format(n=shown), ", ".join(map(str, upward))


OPPOSITE_QUESTIONS = ["What is the opposite of {w}?", "Opposite of {w}", "Give the opposite of {w}.", "What is the opposite of the word {w}?",
                      "Tell me the opposite of {w}.", "Which word is the opposite of {w}?", "Name the opposite of {w}.", "What word means the opposite of {w}?"]


def opposite(rng, split):
    def make(r):
        pair = r.choice(OPPOSITES)
        at = r.randrange(2)
        question = r.choice(OPPOSITE_QUESTIONS)
        return question.format(w=pair[at]), (question, pair[at], pair[1 - at])
    question, word, answer = draw(rng, make, split)
    return question.format(w=quoted(rng, word)), answer


def count(rng, split):
    def ends(r):
        low = r.randrange(100)
        high = min(low + r.randint(1, 14), 120)
        return f"count {low} {high}", (low, high)
    low, high = draw(rng, ends, split)
    numbers = [str(n) for n in range(low, high + 1)]
    if rng.random() < 0.25:
        return rng.choice(["Count down from {b} to {a}.", "Count backwards from {b} to {a}."]).format(a=low, b=high), ", ".join(numbers[::-1])
    return rng.choice(["Count from {a} to {b}.", "Count up from {a} to {b}.", "List the numbers from {a} to {b}.", "Write the numbers from {a} to {b}.",
                       "Please count from {a} to {b}."]).format(a=low, b=high), ", ".join(numbers)


# name: (maker, what a held-out question has that no training question has)
TASKS = {
    "plus": (plus, "a pair of numbers (0-99) that is never added in training, in either order"),
    "minus": (minus, "a pair of numbers (0-99) that is never subtracted in training"),
    "sentiment": (sentiment, "a thing and an adjective that never stand together in a training review"),
    "pick out": (pick_out, "a name and a city that never occur in training"),
    "backwards": (backwards, "a word that is in no word question of the training"),
    "spell": (spell, "as for backwards"),
    "sort": (sort, "three numbers (0-99) that never stand together in a training question of this task"),
    "opposite": (opposite, "a question and a word that never stand together in training; the word alone does occur"),
    "letters": (letters, "as for backwards"),
    "capitals": (capitals, "as for backwards"),
    "count": (count, "a first and a last number that never stand together in training"),
}
# The last three only help the first phase of the training to learn spelling and numbers; they are not offered or measured.
OFFERED = list(TASKS)[:8]
