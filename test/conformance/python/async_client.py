"""The official Python client's asynchronous half against a running service.

    python async_client.py API_URL API_KEY [WEBHOOK_SECRET CATCHER_URL]
"""

import asyncio
import functools
import sys
import time

import checks
import openai
from checks import equal, expect, fails
from demo import ENDED, MODEL, SUM, line, records
from http_library import http

URL, KEY, *_ = sys.argv[1:]
QUESTION = [{"role": "user", "content": "What is 12 plus 30?"}]


def check(function):
    """The check gets an event loop, and a client that lives as long: connections belong to one loop."""

    async def with_client():
        async with openai.AsyncOpenAI(base_url=URL, api_key=KEY, timeout=100) as client:
            await function(client)

    @checks.check
    @functools.wraps(function)
    def with_loop():
        asyncio.run(with_client())


async def upload(client, text, name="in.jsonl"):
    return await client.files.create(file=(name, text.encode()), purpose="batch")


async def finish(client, batch):
    until = time.monotonic() + 90
    while batch.status not in ENDED:
        expect(time.monotonic() < until, f"{batch.id} is still {batch.status}")
        await asyncio.sleep(0.1)
        batch = await client.batches.retrieve(batch.id)
    return batch


async def answer(client, **more):
    made = await client.completions.create(model=MODEL, **{"prompt": SUM, "max_tokens": 8, "temperature": 0, **more})
    return made.choices[0].text


@check
async def a_file_is_created_from_bytes_read_back_and_deleted(client):
    text = line("ü") + "\r\n\n" + line("b")
    made = await client.files.create(file=text.encode(), purpose="batch")
    equal((made.object, made.purpose, made.status, made.bytes), ("file", "batch", "processed", len(text.encode())))
    equal((await client.files.content(made.id)).content, text.encode())
    expect((await client.files.delete(made.id)).deleted, "not deleted")
    with fails(openai.NotFoundError, code="not_found"):
        await client.files.retrieve(made.id)


@check
async def files_made_at_once_are_listed_by_pages_each_once(client):
    made = await asyncio.gather(*(upload(client, line(str(i)), f"page-{i}.jsonl") for i in range(7)))
    names = {file.id: file.filename for file in made}
    equal(sorted(names.values()), [f"page-{i}.jsonl" for i in range(7)])
    seen = [file async for file in client.files.list(limit=3, purpose="batch")]
    equal(len({file.id for file in seen}), len(seen))
    equal({file.id: file.filename for file in seen[:7]}, names)


@check
async def a_batch_runs_from_file_to_results(client):
    file = await upload(client, "\n".join([line("z"), line("bad", max_tokens=9999), line("a")]))
    made = await client.batches.create(
        input_file_id=file.id, endpoint="/v1/completions", completion_window="24h", metadata={"run": "async"})
    equal((made.object, made.status, made.metadata), ("batch", "validating", {"run": "async"}))
    end = await finish(client, made)
    equal(end.status, "completed")
    equal((end.request_counts.total, end.request_counts.completed, end.request_counts.failed), (3, 2, 1))
    output, errors = await asyncio.gather(client.files.content(end.output_file_id), client.files.content(end.error_file_id))
    told = [(record["custom_id"], record["response"]["body"]["choices"][0]["text"]) for record in records(output)]
    equal(told, [("z", " 42"), ("a", " 42")])
    refused = [(record["custom_id"], record["response"]["body"]["error"]["code"]) for record in records(errors)]
    equal(refused, [("bad", "context_length_exceeded")])


@check
async def a_completion_streams_the_text_of_the_whole(client):
    asked = {"prompt": SUM, "max_tokens": 24, "temperature": 1, "seed": 5, "extra_body": {"ignore_eos": True}}
    pieces = [chunk.choices[0].text async for chunk in await client.completions.create(model=MODEL, **asked, stream=True) if chunk.choices]
    expect(len(pieces) > 1, f"one piece: {pieces}")
    equal("".join(pieces), await answer(client, **asked))


@check
async def chat_streams_with_usage(client):
    asked = {"model": MODEL, "messages": QUESTION, "temperature": 0}
    text, usage = "", None
    async for chunk in await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    equal(text, "42")
    equal(usage, (await client.chat.completions.create(**asked)).usage)


@check
async def a_stream_that_is_left_lets_the_next_call_through(client):
    # Over a single connection: the next call waits for good if the stream keeps it.
    single = openai.DefaultAsyncHttpxClient(limits=http.Limits(max_connections=1))
    asked = {"model": MODEL, "prompt": SUM, "max_tokens": 400, "temperature": 1, "stream": True, "extra_body": {"ignore_eos": True}}
    async with client.with_options(http_client=single, max_retries=0) as narrow:
        async with await narrow.completions.create(**asked) as stream:
            async for _ in stream:
                break
        equal(await answer(narrow), " 42")
        stream = await narrow.completions.create(**asked)
        async for _ in stream:
            break
        await stream.close()
        equal(await answer(narrow), " 42")


@check
async def calls_at_once_get_each_its_own_answer(client):
    def asked(seed):
        return answer(client, max_tokens=24, temperature=1, seed=seed, extra_body={"ignore_eos": True})

    together = await asyncio.gather(*(asked(seed) for seed in range(16)))
    equal(len(set(together)), 16)
    equal(together, [await asked(seed) for seed in range(16)])


@check
async def one_refused_call_leaves_the_others_at_once_alone(client):
    texts = await asyncio.gather(*(answer(client, temperature=temperature) for temperature in (0, 3, 0)), return_exceptions=True)
    equal((texts[0], texts[2]), (" 42", " 42"))
    equal(type(texts[1]), openai.BadRequestError)


@check
async def errors_have_their_class_code_and_field(client):
    with fails(openai.AuthenticationError, code="invalid_api_key"):
        await client.with_options(api_key="ey_no").models.list()
    with fails(openai.BadRequestError, status_code=400, code="invalid_value", param="temperature"):
        await answer(client, temperature=3)
    with fails(openai.NotFoundError, status_code=404, code="model_not_found", param="model"):
        await client.completions.create(model="gpt-4", prompt=SUM)
    with fails(openai.NotFoundError, status_code=404, code="not_found"):
        await client.batches.retrieve("batch_none")


checks.run()
